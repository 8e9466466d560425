/** An answer of `tsched why` for people. */
import type { SlotAnswer } from '../engine/ports-operator.ts';
import type { Instant, JobId, RunId } from '../model.ts';
import { printable } from '../observe/text.ts';
import { ago, fromNow, localDateTime } from '../observe/when.ts';
import type { Session } from './session.ts';

export interface ShownSlot {
  readonly jobId: JobId;
  readonly slot: Instant;
  readonly timezone: string;
  /** What a clock change does to it. */
  readonly note: string | undefined;
  /** A line for what happened, and perhaps some for what follows from it. Not yet escaped. */
  readonly lines: readonly string[];
  readonly runId: RunId | undefined;
  /** The job's next slot from now on, if it is to run then. */
  readonly comingAt: Instant | undefined;
}

export function slotAsText(shown: ShownSlot, session: Session): string {
  const { jobId, slot, timezone, note, runId, comingAt } = shown;
  const paint = session.painter('out');
  const distance = slot > session.now ? fromNow(slot, session.now) : ago(slot, session.now);
  const head = `${paint('bold', printable(jobId))}   ${localDateTime(slot, timezone)}   ${timezone}   ${paint('dim', distance)}\n`;
  const lines = shown.lines.map((line) => `  ${printable(line)}\n`);
  const run = runId === undefined ? '' : `  ${paint('dim', `run   ${runId}`)}\n`;
  const next =
    comingAt === undefined || comingAt === slot
      ? ''
      : `  ${paint('dim', `next  ${localDateTime(comingAt, timezone)}   ${fromNow(comingAt, session.now)}`)}\n`;
  return `${head}${note === undefined ? '' : `  ${paint('yellow', printable(note))}\n`}${lines.join('')}${run}${next}`;
}

/** No slot has come yet, and nothing is recorded. */
export function noneAsText(
  { jobId, inWords, nextAt }: Pick<SlotAnswer, 'jobId' | 'inWords' | 'nextAt'>,
  { timezone, session }: { readonly timezone: string; readonly session: Session },
): string {
  const next =
    nextAt === undefined
      ? ''
      : `\n  next  ${localDateTime(nextAt, timezone)}   ${fromNow(nextAt, session.now)}`;
  return `${session.painter('out')('bold', printable(jobId))}\n  ${printable(inWords)}${next}\n`;
}
