import type { SlotAnswer } from '../engine/ports-operator.ts';
import { whyShape } from '../http/shapes.ts';
import type { Instant, JobId } from '../model.ts';
import { ago, fromNow, localDateTime } from '../observe/when.ts';
import { printable, printableJson } from '../observe/text.ts';
import { linksOf, newestFollowed, type LinkSources } from '../operator/links.ts';
import type { KnownJob } from '../operator/wording.ts';
import { slotNote } from '../schedule/notes.ts';
import { slotUpTo } from '../schedule/previous.ts';
import { compileSchedule, type Trigger } from '../schedule/trigger.ts';
import type { HistoryReader } from '../store/history.ts';
import { runAsJson } from './history-row.ts';
import { withHistory } from './past.ts';
import type { Session } from './session.ts';
import { stateDirectory } from './state-directory.ts';
import { answerFor, type Answer } from './why-answer.ts';
import { gather, withWait, type WhyOptions } from './why-known.ts';
import { noSlot, slotAnswer } from './why-slot.ts';
import { whyInWords } from './why-words.ts';
import { momentOf } from './zones.ts';

/** Why a slot of the job ran, ran late or did not run: the newest that has come, or the one of a time. */
export async function why(
  { id, time }: { readonly id: JobId; readonly time: string | undefined },
  options: WhyOptions,
  session: Session,
): Promise<void> {
  const state = stateDirectory(options.stateDir, session.environment);
  const { now } = session;
  await withHistory(state, async (history) => {
    const { known, definition } = await gather(id, { history, state, options, session });
    const timezone = options.tz ?? known.schedule?.timezone ?? session.hostTimezone;
    const trigger = known.schedule === undefined ? undefined : compileSchedule(known.schedule, id);
    const sources = history && sourcesOf(history, definition);
    const slot =
      time === undefined
        ? await newestSlot(known, { trigger, sources, now })
        : momentOf(time, timezone, 'the time');
    if (slot === undefined) {
      const none = noSlot(known, trigger, now);
      session.out(options.json === true ? asJson(none, state) : noneAsText(none, { timezone, session }));
      return;
    }
    const past = history && { row: history.slot(id, slot), kept: history.kept(id) };
    const story = { slot, row: past?.row };
    const isLinked = known.job !== undefined && sources !== undefined;
    const links = isLinked ? await linksOf(known.job, story, sources) : [];
    const answer = await withWait(answerFor(slot, known, { trigger, past, links, now, timezone }), session);
    session.out(options.json === true ? asJson(slotAnswer(answer, now), state) : asText(answer, session));
  });
}

async function newestSlot(
  { id, job }: KnownJob,
  at: { trigger: Trigger | undefined; sources: LinkSources | undefined; now: Instant },
): Promise<Instant | undefined> {
  const due = at.trigger === undefined ? undefined : slotUpTo(at.trigger, at.now);
  if (due !== undefined || at.sources === undefined) return due;
  return job === undefined ? at.sources.newestSlot(id, at.now) : newestFollowed(job, at.now, at.sources);
}

function sourcesOf(history: HistoryReader, definition: LinkSources['definition']): LinkSources {
  return {
    definition,
    row: async (jobId, slot) => history.slot(jobId, slot),
    async run(runId) {
      const run = history.run(runId);
      return run === undefined || run === 'ambiguous' ? undefined : { run };
    },
    newestSlot: async (jobId, at) => history.newestSlot(jobId, at),
  };
}

/** As the API tells it, with the size of the run's output. */
function asJson(answer: SlotAnswer, state: string): string {
  const { row } = answer;
  const run = row !== undefined && 'run' in row ? { run: runAsJson(row.run, state) } : {};
  return `${printableJson({ ...whyShape(answer), ...run })}\n`;
}

function asText(answer: Answer, session: Session): string {
  const { known, slot, timezone, comingAt, row } = answer;
  const paint = session.painter('out');
  const distance = slot > session.now ? fromNow(slot, session.now) : ago(slot, session.now);
  const head = `${paint('bold', printable(known.id))}   ${localDateTime(slot, timezone)}   ${timezone}   ${paint('dim', distance)}\n`;
  const note = known.schedule === undefined ? undefined : slotNote(known.schedule, slot, known.id);
  const lines = whyInWords(answer, session.now).map((line) => `  ${printable(line)}\n`);
  const run = row !== undefined && 'run' in row ? `  ${paint('dim', `run   ${row.run.id}`)}\n` : '';
  const next =
    comingAt === undefined || comingAt === slot || !(known.job?.enabled ?? true)
      ? ''
      : `  ${paint('dim', `next  ${localDateTime(comingAt, timezone)}   ${fromNow(comingAt, session.now)}`)}\n`;
  return `${head}${note === undefined ? '' : `  ${paint('yellow', note)}\n`}${lines.join('')}${run}${next}`;
}

function noneAsText(
  { jobId, inWords, nextAt }: SlotAnswer,
  { timezone, session }: { readonly timezone: string; readonly session: Session },
): string {
  const next =
    nextAt === undefined
      ? ''
      : `\n  next  ${localDateTime(nextAt, timezone)}   ${fromNow(nextAt, session.now)}`;
  return `${session.painter('out')('bold', printable(jobId))}\n  ${inWords}${next}\n`;
}
