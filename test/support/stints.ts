/** When jobs ran, as they wrote it down themselves: by one clock, whichever process or node ran them. */
import { readFileSync } from 'node:fs';

export interface Stint {
  readonly job: string;
  readonly run: string;
  /** Nanoseconds. */
  readonly begin: number;
  end: number | undefined;
}

/** A shell line that writes down when its run begins and ends, and in between does what `body` says. */
export function stintTask(ledger: string, body: string): string {
  const line = (what: string): string =>
    `echo "${what} $TSCHED_JOB_ID $TSCHED_RUN_ID $(date +%s%N)" >> '${ledger}'`;
  return `${line('begin')}; ${body}; ${line('end')}`;
}

/** In the order in which they began. */
export function stintsIn(ledger: string): Stint[] {
  const found = new Map<string, Stint>();
  let text: string;
  try {
    text = readFileSync(ledger, 'utf8');
  } catch {
    return [];
  }
  for (const line of text.trim().split('\n')) {
    const [what, job = '', run = '', at = ''] = line.split(' ');
    const known = found.get(run);
    if (what === 'begin') {
      if (known !== undefined) throw new Error(`${job} begins twice as run ${run}`);
      found.set(run, { job, run, begin: Number(at), end: undefined });
    } else if (known !== undefined) known.end = Number(at);
  }
  return [...found.values()].toSorted((a, b) => a.begin - b.begin);
}

/** The most that ran at once. */
export function mostAtOnce(all: readonly Stint[]): number {
  const steps = all
    .flatMap(({ begin, end = Number.POSITIVE_INFINITY }) => [
      { at: begin, by: 1 },
      { at: end, by: -1 },
    ])
    .toSorted((a, b) => a.at - b.at || a.by - b.by);
  let now = 0;
  return Math.max(0, ...steps.map(({ by }) => (now += by)));
}
