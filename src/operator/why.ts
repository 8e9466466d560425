/** Why a slot of a loaded job became what it became. */
import type { JobStatus } from '../engine/engine.ts';
import type { Answer, SlotAnswer } from '../engine/ports-operator.ts';
import type { Clock } from '../engine/ports.ts';
import type { Instant, JobDefinition, JobId } from '../model.ts';
import { slotUpTo } from '../schedule/previous.ts';
import { compileSchedule } from '../schedule/trigger.ts';
import type { DaemonInfo } from '../store/daemon-file.ts';
import type { HistorySource, SlotPast } from '../store/history.ts';
import { done } from './answers.ts';
import { linksOf, newestFollowed, type LinkSources } from './links.ts';
import type { Runs } from './runs.ts';
import type { Wording } from './wording.ts';

interface Asked {
  readonly runs: Runs;
  readonly clock: Clock;
  readonly wording: Wording;
  readonly daemon: { readonly info: DaemonInfo };
  readonly engine: { definition(jobId: JobId): JobDefinition | undefined };
}

interface Which {
  /** Undefined: the newest slot that has come, or that there is a row of. */
  readonly at: Instant | undefined;
  readonly timezone: string | undefined;
}

export async function whyOf(
  { definition, pause, waitsFor }: JobStatus,
  { at, timezone }: Which,
  { runs, clock, wording, daemon, engine }: Asked,
): Promise<Answer<SlotAnswer>> {
  const { id, schedule } = definition;
  const now = clock.now();
  const due = at ?? slotUpTo(compileSchedule(schedule, id), now);
  const sources = (history: HistorySource): LinkSources => sourcesOf(history, runs, engine);
  const slot =
    due === undefined
      ? await runs.ask((history) => newestFollowed(definition, now, sources(history)))
      : done(due);
  if (!slot.ok) return slot;
  const past = slot.value === undefined ? done(undefined) : await pastOf(id, slot.value, runs);
  if (!past.ok) return past;
  const place = past.value?.place;
  const known = { id, job: definition, schedule, place, pause, daemon: daemon.info, waitsFor };
  const story = slot.value === undefined ? undefined : { slot: slot.value, row: past.value?.row };
  const links =
    story === undefined
      ? done([])
      : await runs.ask((history) => linksOf(definition, story, sources(history)));
  if (!links.ok) return links;
  const question = { known, slot: slot.value, past: past.value, links: links.value, timezone };
  return done(wording.why(question, clock.now()));
}

function sourcesOf(history: HistorySource, runs: Runs, engine: Asked['engine']): LinkSources {
  return {
    definition: (jobId) => engine.definition(jobId),
    async row(jobId, slot) {
      const { row } = await history.slot(jobId, slot);
      return row && runs.freshRow(row);
    },
    async run(runId) {
      const run = await history.run(runId);
      return run === undefined || run === 'ambiguous' ? undefined : runs.freshRow({ run });
    },
    newestSlot: (jobId, at) => history.newestSlot(jobId, at),
  };
}

async function pastOf(id: string, slot: Instant, runs: Runs): Promise<Answer<SlotPast>> {
  const past = await runs.ask((history) => history.slot(id, slot));
  if (!past.ok) return past;
  const { row } = past.value;
  return done({ ...past.value, row: row && runs.freshRow(row) });
}
