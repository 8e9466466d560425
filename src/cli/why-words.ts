/** The answers of `tsched why` in words: what happened, and what to change if it should not have. */
import type { Instant, MisfirePolicy, RunRecord, SkipReason, SkipRecord, Waited } from '../model.ts';
import { heldInWords, limitInWords } from '../observe/limits.ts';
import { elapsed } from '../observe/text.ts';
import { formatDuration } from '../schedule/duration.ts';
import { refusalInWords } from '../schedule/notes.ts';
import type { SlotReason } from '../schedule/why.ts';
import { localDateTime, roughly } from '../observe/when.ts';
import type { Answer } from './why-answer.ts';
import {
  dependencyAdvice,
  dependencyInWords,
  followedInWords,
  linksInWords,
  waitingInWords,
} from './why-chain.ts';
import { standing } from './why-run.ts';
import { begunAt } from '../schedule/run-length.ts';

const TURN = 'its turn (overlap: queue, --max-concurrent-runs), or the machine was busy';

/** A line for what happened, and perhaps some for what follows from it. Not yet escaped. */
export function whyInWords(answer: Answer, now: Instant): string[] {
  return [...slotInWords(answer, now), ...linksInWords(answer, now)];
}

function slotInWords(answer: Answer, now: Instant): string[] {
  const { row } = answer;
  if (row !== undefined && 'run' in row) return ofRun(row.run, answer, now);
  const { reason } = answer.verdict;
  if (row !== undefined && 'skip' in row && row.skip.reason === reason) return ofSkip(row.skip, answer);
  return ofNothing(reason, answer, now);
}

function ofRun(run: RunRecord, answer: Answer, now: Instant): string[] {
  const { reason, late = 0 } = answer.verdict;
  const asked = reason === 'on_time' || reason === 'late' ? askedWords[run.cause] : undefined;
  const isAwaited = run.attempts[0]?.awaits !== undefined;
  const begun: Partial<Record<SlotReason, string>> = {
    on_time: isAwaited
      ? `it was handed to the nodes on time (${elapsed(late)} after it was due)`
      : `it ran on time (${elapsed(late)} after it was due)`,
    late: isAwaited
      ? `it was handed to the nodes late, ${elapsed(late)} after it was due`
      : `it ran late: it started ${elapsed(late)} after it was due`,
    caught_up: `it was missed, and caught up ${elapsed(late)} after it was due`,
    followed: followedInWords(answer),
    starting: 'it is about to start',
    not_begun: 'its run ended before it began',
    waiting: 'it waits for its turn',
  };
  const why: Partial<Record<SlotReason, string>> = {
    late: `it had to wait for ${answer.known.job?.needs === undefined ? '' : 'what it needs, for '}${TURN}`,
    caught_up: `no daemon was running, or the machine slept or was overloaded; ${misfireInWords(answer)}`,
  };
  const { jitter } = answer.facts;
  const ofSlot = asked === undefined ? why[reason] : undefined;
  const because = run.waited === undefined ? ofSlot : waitInWords(run.waited, begunAt(run) ?? now);
  return [
    asked ?? begun[reason] ?? '',
    ...(because === undefined ? [] : [because]),
    ...(jitter > 0 && asked === undefined
      ? [`it was due ${elapsed(jitter)} after its slot, by its jitter`]
      : []),
    standing(run, now),
  ];
}

/** Of runs that no slot asked for. */
const askedWords: Partial<Record<RunRecord['cause'], string>> = {
  manual: 'it ran when somebody asked for it',
  replay: 'it ran afterwards, when its slot was replayed',
};

function waitInWords({ limit, since, heldBy }: Waited, until: Instant): string {
  return `it waited ${elapsed(Math.max(0, until - since))} for ${limitInWords(limit)}${heldInWords(heldBy)}`;
}

function ofSkip(skip: SkipRecord, answer: Answer): string[] {
  const { timezone } = answer;
  const stretch =
    skip.through === skip.scheduledAt
      ? []
      : [
          `one of ${skip.count ?? 'many'} slots skipped together, from ${localDateTime(skip.scheduledAt, timezone)} to ${localDateTime(skip.through, timezone)}`,
        ];
  const { reason, detail } = skip;
  const advice = reason === 'dependency' ? dependencyAdvice(answer) : skipAdvice[reason];
  if (detail === undefined) return [skipWords[reason](answer), ...stretch, advice];
  const wait = `it waited ${lateness(answer)} for ${limitInWords(detail)}`;
  const most = answer.known.job?.policy.pool?.maxWait;
  const than = reason === 'misfire' ? misfireInWords(answer) : `max_wait is ${formatDuration(most ?? 0)}`;
  const bound = most === undefined && reason === 'limit' ? 'as long as its max_wait allowed' : than;
  return [`it did not run: ${wait}, and ${bound}`, ...stretch, poolAdvice(reason, detail)];
}

function poolAdvice(reason: SkipReason, limit: string): string {
  const longer = reason === 'misfire' ? 'a longer misfire grace' : 'a longer max_wait';
  return `to let it wait longer: ${longer}; to let more run at once: more slots of ${limitInWords(limit)}; to let it go first: priority`;
}

const skipWords: Record<SkipReason, (answer: Answer) => string> = {
  misfire: (answer) => `it did not run: it was missed by ${lateness(answer)}, and ${misfireInWords(answer)}`,
  overlap: () => 'it did not run: the run before it was still active, or a newer slot took its turn',
  limit: () => 'it did not run: as many runs of the job were active as max_instances allows',
  paused: (answer) => {
    const reason = answer.known.pause?.reason;
    return `it did not run: the job was paused${reason === undefined ? '' : ` (${reason})`}`;
  },
  shutdown: () => 'it did not run: tsched was stopping while it waited for its turn',
  excluded: (answer) => `it did not run: calendars exclude its day${refusedBy(answer)}`,
  removed: () => 'it did not run: the job left the job file, or was changed, while it waited for its turn',
  claimed_elsewhere: () => 'it did not run again: it had been claimed before',
  dependency: dependencyInWords,
};

const skipAdvice: Record<Exclude<SkipReason, 'dependency'>, string> = {
  misfire:
    'no daemon was running, or the machine slept or was overloaded; to run such slots afterwards: misfire: { run: all } or a longer grace',
  overlap:
    'to run it afterwards: overlap: queue; at the same time: overlap: allow; in place of the other: overlap: replace',
  limit: 'to run more at once: max_instances',
  paused: 'to let it run again: tsched resume',
  shutdown: 'the next daemon goes on with the slots after it',
  excluded: 'to move such slots to another day: roll: previous or roll: next',
  removed: 'the slots of its new definition count from the moment it was loaded',
  claimed_elsewhere: 'the clock was set back, perhaps: no slot runs twice',
};

/** Which calendar, and by what entry. */
function refusedBy({ facts }: Answer): string {
  return facts.fate === undefined ? '' : `: ${refusalInWords(facts.fate.refusal)}`;
}

function lateness({ verdict }: Answer): string {
  return elapsed(verdict.late ?? 0);
}

/** What the job's misfire policy does; in general where the job is not in the file any more. */
function misfireInWords({ known }: Answer): string {
  const policy = known.job?.policy.misfire;
  return policy === undefined ? 'its misfire policy decides over missed slots' : policyInWords(policy);
}

function policyInWords({ run, grace, max }: MisfirePolicy): string {
  const age = grace === undefined ? '' : ` that are no older than ${formatDuration(grace)}`;
  switch (run) {
    case 'none':
      return 'its policy never runs missed slots (misfire: none)';
    case 'latest':
      return `its policy runs only the newest of the missed slots${age} (misfire: latest)`;
    case 'all':
      return `its policy runs at most ${max} missed slots${age} (misfire: all)`;
  }
}

/** Reasons of slots that have no row in the history. */
type Rowless = Exclude<
  SlotReason,
  SkipReason | 'on_time' | 'late' | 'caught_up' | 'followed' | 'starting' | 'not_begun'
>;

function ofNothing(reason: SlotReason, answer: Answer, now: Instant): string[] {
  if (reason === 'paused') return ['it will be skipped: the job is paused', skipAdvice.paused];
  if (reason === 'excluded') {
    const tense = answer.facts.slot > now ? 'will not run' : 'does not run';
    return [`it ${tense}: calendars exclude its day${refusedBy(answer)}`, skipAdvice.excluded];
  }
  return reason in rowlessWords ? rowlessWords[reason as Rowless](answer, now) : [reason];
}

const rowlessWords: Record<Rowless, (answer: Answer, now: Instant) => string[]> = {
  future: (answer) => ['it has not come yet', ...willItRun(answer)],
  jitter(answer, now) {
    const { slot, jitter } = answer.facts;
    return [`it starts in ${roughly(slot + jitter - now)}, by its jitter`, ...willItRun(answer)];
  },
  rolled(answer) {
    const { fate } = answer.facts;
    const to = fate?.kind === 'rolled' ? localDateTime(fate.to, answer.timezone) : 'another day';
    return [
      `it moved to ${to}: calendars exclude its day${refusedBy(answer)}`,
      'ask for that time to see what became of it',
    ];
  },
  disabled: () => ['the job is disabled: it has enabled: false in the job file'],
  not_a_slot: ({ previousAt, nextAt, timezone }) => [
    'the job has no slot at that time',
    `the one before: ${previousAt === undefined ? 'none' : localDateTime(previousAt, timezone)}`,
    `the one after:  ${nextAt === undefined ? 'none' : localDateTime(nextAt, timezone)}`,
  ],
  no_schedule: () => ['the job has no slots: it runs at a start of tsched, or when asked for'],
  not_in_file: () => ['nothing is recorded of it, and the job is not in the job file any more'],
  not_loaded: ({ known }) => notLoaded(known.daemon),
  not_known_yet: ({ facts, timezone }) => [
    'nothing is recorded of it: the job was not known by then, or its history was removed',
    `a job starts at the moment it is first loaded, never in the past${facts.oldest === undefined ? '' : `; its history begins at ${localDateTime(facts.oldest, timezone)}`}`,
  ],
  pruned: ({ facts, timezone }) => [
    'nothing is recorded of it: history is kept for a while only, and what is so old would be gone',
    ...(facts.oldest === undefined
      ? []
      : [`that of this job goes back to ${localDateTime(facts.oldest, timezone)}`]),
  ],
  unrecorded: () => [
    'nothing is recorded of it, though the history goes back further',
    'the job had another schedule then, or was disabled or not in the job file; or the disk failed for long',
  ],
  schedule_changed: () => [
    'nothing is decided over it: the newest daemon knew the job with another schedule',
    'the slots of a new schedule count from the moment it is loaded',
  ],
  daemon_down: (answer) => [
    'no daemon is running, so nothing is decided over it; start one: tsched start',
    `when one starts, ${misfireInWords(answer)}`,
  ],
  ephemeral: () => [
    'the daemon keeps its history in memory (--ephemeral): what became of it is in its log alone',
  ],
  degraded({ known }) {
    const store = known.daemon === undefined || known.daemon === 'unknown' ? undefined : known.daemon.store;
    const message = store?.kind === 'degraded' ? `: ${store.message}` : '';
    return [
      `the daemon cannot record at the moment what became of it${message}`,
      'jobs go on; the history catches up when the disk can be written again',
    ];
  },
  waiting: (answer) => waitingInWords(answer),
  not_followed: () => ['nothing ran at that time that it follows'],
};

function willItRun({ known }: Answer): string[] {
  if (known.daemon === undefined) return ['no daemon is running: it is missed unless one is started by then'];
  return known.place === undefined ? notLoaded(known.daemon) : [];
}

function notLoaded(daemon: Answer['known']['daemon']): string[] {
  if (daemon === undefined) return ['no daemon has loaded this job yet; start one: tsched start'];
  const told = 'the running daemon has not loaded this job';
  if (daemon === 'unknown') return [told];
  const { file, fileProblem } = daemon;
  return [told, `it runs ${file}${fileProblem === undefined ? '' : `, and ${fileProblem.message}`}`];
}
