/** Why a slot became what it became, as it is told to programs: by the command and, through its wording, by the daemon. */
import type { SlotAnswer } from '../engine/ports-operator.ts';
import type { Instant } from '../model.ts';
import { localIso } from '../observe/when.ts';
import type { KnownJob, WhyQuestion } from '../operator/wording.ts';
import { afterOf } from '../schedule/follow.ts';
import { slotNote } from '../schedule/notes.ts';
import { compileSchedule, type Trigger } from '../schedule/trigger.ts';
import { answerFor, type Answer } from './why-answer.ts';
import { whyInWords } from './why-words.ts';

export function slotAnswer(answer: Answer, now: Instant): SlotAnswer {
  const { known, slot, row, links, verdict, previousAt, nextAt, timezone } = answer;
  const lines = whyInWords(answer, now);
  return {
    jobId: known.id,
    slot,
    local: localIso(slot, timezone),
    reason: verdict.reason,
    inWords: lines.join('; '),
    lines,
    note: known.schedule && slotNote(known.schedule, slot, known.id),
    late: verdict.late,
    row,
    links,
    previousAt,
    nextAt,
  };
}

/** No slot has come yet, and nothing is recorded. */
export function noSlot(
  { id, job, schedule }: KnownJob,
  trigger: Trigger | undefined,
  now: Instant,
): SlotAnswer {
  const nextAt = trigger?.next(now);
  const follows = schedule && afterOf(schedule);
  const atStart = schedule?.triggers.some(({ kind }) => kind === 'startup') === true;
  const words =
    nextAt !== undefined
      ? 'no slot of it has come yet'
      : follows !== undefined
        ? `it follows ${follows.jobs.join(', ')}, and no run of that is recorded`
        : atStart
          ? 'it runs when a daemon starts, and no start is recorded'
          : 'it has no slots: it runs only when asked for';
  const none = {
    slot: undefined,
    local: undefined,
    late: undefined,
    row: undefined,
    links: [],
    previousAt: undefined,
    note: undefined,
  };
  const lines = job?.enabled === false ? [words, 'it is disabled (enabled: false)'] : [words];
  return {
    jobId: id,
    ...none,
    reason: nextAt === undefined ? 'no_schedule' : 'future',
    inWords: lines.join('; '),
    lines,
    nextAt,
  };
}

/** For a daemon, which knows its own jobs: the words and the shape of the command. */
export function answerWhy(question: WhyQuestion, now: Instant): SlotAnswer {
  const { known, slot, past, links } = question;
  const { schedule, id } = known;
  const trigger = schedule === undefined ? undefined : compileSchedule(schedule, id);
  if (slot === undefined) return noSlot(known, trigger, now);
  const timezone = question.timezone ?? schedule?.timezone ?? 'UTC';
  return slotAnswer(answerFor(slot, known, { trigger, past, links, now, timezone }), now);
}
