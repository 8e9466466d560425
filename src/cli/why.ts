import type { SlotAnswer } from '../engine/ports-operator.ts';
import { whyShape } from '../http/shapes.ts';
import type { Instant, JobId } from '../model.ts';
import { printableJson } from '../observe/text.ts';
import { linksOf, newestFollowed, type LinkSources } from '../operator/links.ts';
import type { KnownJob } from '../operator/wording.ts';
import { slotNote } from '../schedule/notes.ts';
import { slotUpTo } from '../schedule/previous.ts';
import { compileSchedule, type Trigger } from '../schedule/trigger.ts';
import type { HistoryReader } from '../store/history.ts';
import { runAsJson } from './history-row.ts';
import { clusterDatabase, withHistory } from './past.ts';
import type { Session } from './session.ts';
import { stateDirectory } from './state-directory.ts';
import { answerFor, type Answer } from './why-answer.ts';
import { gather, withWait, type WhyOptions } from './why-known.ts';
import { noSlot, slotAnswer } from './why-slot.ts';
import { noneAsText, slotAsText } from './why-text.ts';
import { whyInWords } from './why-words.ts';
import { momentOf } from './zones.ts';

/** Why a slot of the job ran, ran late or did not run: the newest that has come, or the one of a time. */
export async function why(
  { id, time }: { readonly id: JobId; readonly time: string | undefined },
  options: WhyOptions,
  session: Session,
): Promise<void> {
  const state = stateDirectory(options.stateDir, session.environment);
  if (clusterDatabase(state) !== undefined) {
    const { toldWhy } = await import('./why-told.ts');
    return toldWhy({ id, time, state }, options, session);
  }
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
  const { known, slot, timezone, row, comingAt } = answer;
  return slotAsText(
    {
      jobId: known.id,
      slot,
      timezone,
      note: known.schedule && slotNote(known.schedule, slot, known.id),
      lines: whyInWords(answer, session.now),
      runId: row !== undefined && 'run' in row ? row.run.id : undefined,
      comingAt: known.job?.enabled === false ? undefined : comingAt,
    },
    session,
  );
}
