/**
 * A load result on its way between two processes: lines of JSON, small enough that reading one never holds up a loop.
 * What jobs share crosses once and is shared again on the other side.
 */
import type { NeedsPolicy } from '../chain.ts';
import type {
  JobDefinition,
  OutputPolicy,
  Policy,
  Schedule,
  Shard,
  Surroundings,
  Task,
  Telling,
} from '../model.ts';
import type { Parameters } from '../parameter.ts';
import type { LoadedFile, LoadResult } from './job-file.ts';

/** Jobs on one line: about 50 kB, half a millisecond of reading. */
const ROWS = 250;

/** `[id, file, line, enabled, tags, schedule, task, surroundings, policy, output, description, telling, params, needs, shards, runsOn]`; numbers are parts. */
type Row = readonly [
  id: string,
  file: number,
  line: number,
  enabled: 0 | 1,
  tags: number,
  schedule: number,
  task: PackedTask,
  surroundings: number,
  policy: number,
  output: number,
  description: string | null,
  telling: number | null,
  params: number | null,
  needs: number | null,
  shards: number | null,
  runsOn: number | null,
];

/** A shell line with its shell as a part; any other task as it is. */
type PackedTask = readonly [script: string, shell: number] | Exclude<Task, { kind: 'run' }>;

type PackedFile = Omit<LoadedFile, 'jobs' | 'texts'>;
type PackedFailure = Omit<Extract<LoadResult, { ok: false }>, 'texts'>;

type Line =
  | { readonly parts: readonly unknown[]; readonly rows: readonly Row[] }
  | { readonly end: PackedFile | PackedFailure; readonly texts: readonly (readonly [string, string])[] };

/** The lines of a result, each with its line break. */
export function* pack(result: LoadResult): Generator<string> {
  if (!result.ok) {
    const { texts, ...end } = result;
    yield line({ end, texts: [...texts] });
    return;
  }
  const { jobs, notifiers, pools, path, warnings, sources, watched, stamps, hash, timezone, history, texts } =
    result.file;
  const numbers = new Map<unknown, number>();
  for (let from = 0; from < jobs.length; from += ROWS) {
    const parts: unknown[] = [];
    const part = (value: unknown): number => {
      const known = numbers.get(value);
      if (known !== undefined) return known;
      parts.push(value);
      numbers.set(value, numbers.size);
      return numbers.size - 1;
    };
    const rows = jobs.slice(from, from + ROWS).map((job) => rowOf(job, part));
    yield line({ parts, rows });
  }
  const end = { notifiers, pools, path, warnings, sources, watched, stamps, hash, timezone, history };
  yield line({ end, texts: [...texts] });
}

function line(value: Line): string {
  return `${JSON.stringify(value)}\n`;
}

function rowOf(job: JobDefinition, part: (value: unknown) => number): Row {
  const {
    id,
    source,
    enabled,
    tags,
    schedule,
    task,
    surroundings,
    policy,
    output,
    description,
    telling,
    needs,
  } = job;
  return [
    id,
    part(source.file),
    source.line,
    enabled ? 1 : 0,
    part(tags),
    part(schedule),
    task.kind === 'run' ? [task.script, part(task.shell)] : task,
    part(surroundings),
    part(policy),
    part(output),
    description ?? null,
    telling === undefined ? null : part(telling),
    job.params === undefined ? null : part(job.params),
    needs === undefined ? null : part(needs),
    job.shards === undefined ? null : part(job.shards),
    job.runsOn === undefined ? null : part(job.runsOn),
  ];
}

/** Puts a result together again, line by line. */
export class Unpacker {
  readonly #parts: unknown[] = [];
  readonly #jobs: JobDefinition[] = [];
  /** There once the last line was taken. */
  result: LoadResult | undefined;

  /** Takes one line. Throws a SyntaxError on what `pack` did not write. */
  take(text: string): void {
    const read = JSON.parse(text) as Line;
    if ('rows' in read) {
      for (const part of read.parts) this.#parts.push(part);
      for (const row of read.rows) this.#jobs.push(this.#job(row));
      return;
    }
    const texts = new Map(read.texts);
    this.result =
      'ok' in read.end
        ? { ...read.end, texts }
        : { ok: true, file: { ...read.end, jobs: this.#jobs, texts } };
  }

  #job(row: Row): JobDefinition {
    const [
      id,
      file,
      number,
      enabled,
      tags,
      schedule,
      task,
      surroundings,
      policy,
      output,
      description,
      telling,
      params,
      needs,
      shards,
      runsOn,
    ] = row;
    return {
      id,
      source: { file: this.#parts[file] as string, line: number },
      ...(description === null ? {} : { description }),
      tags: this.#parts[tags] as readonly string[],
      enabled: enabled === 1,
      schedule: this.#parts[schedule] as Schedule,
      task: Array.isArray(task) ? this.#shellTask(task[0], task[1]) : (task as Task),
      surroundings: this.#parts[surroundings] as Surroundings,
      policy: this.#parts[policy] as Policy,
      output: this.#parts[output] as OutputPolicy,
      ...(telling === null ? {} : { telling: this.#parts[telling] as Telling }),
      ...(params === null ? {} : { params: this.#parts[params] as Parameters }),
      ...(needs === null ? {} : { needs: this.#parts[needs] as NeedsPolicy }),
      ...(shards === null ? {} : { shards: this.#parts[shards] as readonly Shard[] }),
      ...(runsOn === null ? {} : { runsOn: this.#parts[runsOn] as readonly string[] }),
    };
  }

  #shellTask(script: string, shell: number): Task {
    return { kind: 'run', script, shell: this.#parts[shell] as readonly string[] };
  }
}
