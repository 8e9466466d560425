/** In which zone times are read and shown. */
import type { Instant, JobId } from '../model.ts';
import { printable } from '../observe/text.ts';
import { parseInstant } from '../schedule/at.ts';
import { scheduleOf } from '../schedule/fingerprint.ts';
import { isProblem } from '../schedule/problem.ts';
import type { HistoryReader } from '../store/history.ts';
import { exit, Failure } from './exit.ts';

/** The zone the job was last loaded with; undefined when it is not loaded. */
export function zoneOfJob(history: HistoryReader | undefined, id: JobId): string | undefined {
  const place = history?.place(id);
  return place === undefined ? undefined : scheduleOf(place.schedule)?.timezone;
}

/**
 * A point in time as people write it.
 * @param name what it was given as, e.g. `--since`
 * @throws Failure (64) with what to write instead
 */
export function momentOf(text: string, timezone: string, name: string): Instant {
  const parsed = parseInstant(text, timezone);
  if (!isProblem(parsed)) return parsed.instant;
  const hint = parsed.hint === undefined ? undefined : printable(parsed.hint);
  throw new Failure(exit.usage, `${name}: ${printable(parsed.message)}`, hint);
}
