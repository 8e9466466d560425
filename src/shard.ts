/** Parts of one run, as the job file and the history have them. Imports nothing. */

/** Which part of a run this is. */
export interface Shard {
  /** From 0. */
  readonly index: number;
  /** How many the job has; a run that repeats another has those that failed alone. */
  readonly total: number;
  /** Of a `matrix`: what this part is for, by the names of its dimensions. */
  readonly values?: Readonly<Record<string, string>>;
}

/** Most parts of one run: they stand in one row of the history, which is written anew with each step of each. */
export const MOST_SHARDS = 100;

/** What a part is called where runs are: `<run>.3`. */
export function shardId(runId: string, index: number): string {
  return `${runId}.${index}`;
}

/** The run, and the index of the part, that an id or the beginning of a run's with a part stands for. */
export function partsOfId(id: string): { readonly run: string; readonly index: number | undefined } {
  const found = /^(?<run>[^.]+)\.(?<index>\d{1,6})$/.exec(id)?.groups;
  return found?.['run'] === undefined
    ? { run: id, index: undefined }
    : { run: found['run'], index: Number(found['index']) };
}

/** Where the directory of a run, or of a part of it, is among those of all runs: a part's is in its run's, and goes with it. */
export function directoryOf(id: string): string {
  return id.replace('.', '/');
}

/** `3`, or with the values of its matrix `3 (region=eu)`. */
export function shardName({ index, values }: Pick<Shard, 'index' | 'values'>): string {
  const told = Object.entries(values ?? {}).map(([name, value]) => `${name}=${value}`);
  return told.length === 0 ? `${index}` : `${index} (${told.join(', ')})`;
}
