import type { Instant, JobId } from '../model.ts';
import { printable, printableJson } from '../observe/text.ts';
import { clockChangeNote } from '../schedule/notes.ts';
import { slotUpTo } from '../schedule/previous.ts';
import { compileSchedule, type Trigger } from '../schedule/trigger.ts';
import type { HistoryReader } from '../store/history.ts';
import { runAsJson, skipAsJson } from './history-row.ts';
import { withHistory } from './past.ts';
import type { Session } from './session.ts';
import { stateDirectory } from './state-directory.ts';
import { ago, fromNow, localDateTime, localIso, rfc3339 } from '../observe/when.ts';
import { answerFor, gather, type Answer, type Known, type WhyOptions } from './why-answer.ts';
import { whyInWords } from './why-words.ts';
import { momentOf } from './zones.ts';

/** Why a slot of the job ran, ran late or did not run: the newest that has come, or the one of a time. */
export async function why(
  { id, time }: { readonly id: JobId; readonly time: string | undefined },
  options: WhyOptions,
  session: Session,
): Promise<void> {
  const state = stateDirectory(options.stateDir, session.environment);
  await withHistory(state, async (history) => {
    const known = await gather(id, { history, state, options, session });
    const timezone = options.tz ?? known.schedule?.timezone ?? session.hostTimezone;
    const trigger = known.schedule === undefined ? undefined : compileSchedule(known.schedule, id);
    const slot =
      time === undefined
        ? newestSlot(id, { trigger, history, now: session.now })
        : momentOf(time, timezone, 'the time');
    if (slot === undefined) return tellNone(known, trigger, { options, session, timezone });
    const answer = answerFor(slot, known, { trigger, history, session, timezone });
    session.out(options.json === true ? asJson(answer, state, session) : asText(answer, session));
  });
}

function newestSlot(
  id: JobId,
  at: { trigger: Trigger | undefined; history: HistoryReader | undefined; now: Instant },
): Instant | undefined {
  const due = at.trigger === undefined ? undefined : slotUpTo(at.trigger, at.now);
  if (due !== undefined) return due;
  const row = at.history?.slotBefore(id, at.now);
  return row === undefined ? undefined : 'run' in row ? row.run.scheduledAt : row.skip.through;
}

function asJson(answer: Answer, state: string, session: Session): string {
  const { known, slot, row, verdict, previousAt, nextAt, timezone } = answer;
  const shape = {
    jobId: known.id,
    slot: rfc3339(slot),
    local: localIso(slot, timezone),
    reason: verdict.reason,
    inWords: whyInWords(answer, session.now).join('; '),
    lateMs: verdict.late === undefined ? null : Math.round(verdict.late),
    run: row !== undefined && 'run' in row ? runAsJson(row.run, state) : null,
    skip: row !== undefined && 'skip' in row ? skipAsJson(row.skip) : null,
    previousAt: previousAt === undefined ? null : rfc3339(previousAt),
    nextAt: nextAt === undefined ? null : rfc3339(nextAt),
  };
  return `${printableJson(shape)}\n`;
}

function asText(answer: Answer, session: Session): string {
  const { known, slot, timezone, nextAt, row } = answer;
  const paint = session.painter('out');
  const distance = slot > session.now ? fromNow(slot, session.now) : ago(slot, session.now);
  const head = `${paint('bold', printable(known.id))}   ${localDateTime(slot, timezone)}   ${timezone}   ${paint('dim', distance)}\n`;
  const note = known.schedule === undefined ? undefined : clockChangeNote(known.schedule, slot, known.id);
  const lines = whyInWords(answer, session.now).map((line) => `  ${printable(line)}\n`);
  const run = row !== undefined && 'run' in row ? `  ${paint('dim', `run   ${row.run.id}`)}\n` : '';
  const next =
    nextAt === undefined || !(known.job?.enabled ?? true)
      ? ''
      : `  ${paint('dim', `next  ${localDateTime(nextAt, timezone)}   ${fromNow(nextAt, session.now)}`)}\n`;
  return `${head}${note === undefined ? '' : `  ${paint('yellow', note)}\n`}${lines.join('')}${run}${next}`;
}

/** No slot has come yet, and nothing is recorded. */
function tellNone(
  { id, job, schedule }: Known,
  trigger: Trigger | undefined,
  { options, session, timezone }: { options: WhyOptions; session: Session; timezone: string },
): void {
  const nextAt = trigger?.next(session.now);
  const reason = nextAt === undefined ? 'no_schedule' : 'future';
  const inWords =
    nextAt === undefined
      ? schedule?.triggers.some(({ kind }) => kind === 'startup') === true
        ? 'it runs when a daemon starts, and no start is recorded'
        : 'it has no slots: it runs only when asked for'
      : 'no slot of it has come yet';
  if (options.json === true) {
    const none = { local: null, lateMs: null, run: null, skip: null, previousAt: null };
    const next = nextAt === undefined ? null : rfc3339(nextAt);
    session.out(`${printableJson({ jobId: id, slot: null, reason, inWords, ...none, nextAt: next })}\n`);
    return;
  }
  const off = job?.enabled === false ? '; it is disabled (enabled: false)' : '';
  const next =
    nextAt === undefined
      ? ''
      : `\n  next  ${localDateTime(nextAt, timezone)}   ${fromNow(nextAt, session.now)}`;
  session.out(`${session.painter('out')('bold', printable(id))}\n  ${inWords}${off}${next}\n`);
}
