/** A window as a line of characters, for each job. Pure. */
import type { Instant, JobId } from '../model.ts';
import { spans } from './report.ts';
import type { Simulation } from './simulate.ts';

/** How a part of the window looks: a run for most of it, for some of it; slots that were skipped; nothing. */
const MARKS = { most: '█', some: '▄', skipped: '×', nothing: '·' } as const;
/** Share of a part that runs fill, from which on it is most of it. */
const MOST = 0.5;

export const LEGEND = `${MARKS.most} runs for most of the time   ${MARKS.some} for some   ${MARKS.skipped} skipped, other than by calendars`;

/** One line a job, each of `width` characters. */
export function timelines(simulation: Simulation, width: number): ReadonlyMap<JobId, string> {
  const { from, to, rows } = simulation;
  const size = Math.max(to - from, 1) / width;
  const place = (at: Instant): number => Math.min(Math.max(Math.floor((at - from) / size), 0), width - 1);
  const parts = new Map<JobId, { filled: Float64Array; skipped: Uint8Array }>();
  for (const row of rows) {
    const { jobId } = 'run' in row ? row.run : row.skip;
    const of = parts.get(jobId) ?? { filled: new Float64Array(width), skipped: new Uint8Array(width) };
    parts.set(jobId, of);
    if ('skip' in row) {
      const { scheduledAt, through, reason } = row.skip;
      if (reason !== 'excluded') of.skipped.fill(1, place(scheduledAt), place(through) + 1);
      continue;
    }
    for (const [start, end] of spans(row.run, simulation)) {
      for (let part = place(start); part <= place(Math.max(start, end - 1)); part += 1) {
        const length = Math.min(end, from + (part + 1) * size) - Math.max(start, from + part * size);
        // Even one that takes no time is seen.
        of.filled[part] = (of.filled[part] ?? 0) + Math.max(length, Number.MIN_VALUE);
      }
    }
  }
  return new Map(Array.from(parts, ([jobId, of]) => [jobId, lineOf(of, size)]));
}

function lineOf({ filled, skipped }: { filled: Float64Array; skipped: Uint8Array }, size: number): string {
  return Array.from(filled, (length, part) => {
    if (skipped[part] === 1) return MARKS.skipped;
    if (length === 0) return MARKS.nothing;
    return length / size >= MOST ? MARKS.most : MARKS.some;
  }).join('');
}
