/** Who is told when something happens to a job: of changes, not of each time. Pure. */
import type { Lateness, Told } from '../message.ts';
import type { Instant, Notice, NotifyPolicy, Outcome, SkipReason } from '../model.ts';

/** What may be worth a word. */
export type Happening =
  | { readonly kind: 'finished'; readonly outcome: Outcome; readonly slot: Instant; readonly begun: Instant }
  | { readonly kind: 'skipped'; readonly reason: SkipReason }
  | { readonly kind: 'late'; readonly what: Lateness };

/**
 * Why somebody is told, or nobody.
 * first_failure    it did not fail before, or not often enough
 * recovered        after a failure or lateness that was told
 * succeeded        each success is wanted
 * fell_late        it was not late before
 * slots_missed     none had been since its last run
 * nobody_asked     the job has nobody to tell of this
 * too_few          failures in a row, so far
 * told_already     and not over since
 * nothing_changed  a success like the one before
 * meant            somebody cancelled, paused or removed it
 */
export type TellReason =
  | 'first_failure'
  | 'recovered'
  | 'succeeded'
  | 'fell_late'
  | 'slots_missed'
  | 'nobody_asked'
  | 'too_few'
  | 'told_already'
  | 'nothing_changed'
  | 'meant';

export interface Word {
  readonly notice: Notice;
  readonly to: readonly string[];
}

export interface Decision {
  readonly reason: TellReason;
  readonly words: readonly Word[];
  /** What is known from now on; the same object where nothing changed. */
  readonly told: Told;
}

/** Skips that nobody decided on. */
const MISSED: ReadonlySet<SkipReason> = new Set(['misfire', 'overlap', 'limit']);

/** A job of which nothing is known yet. */
export function untold(since: Instant): Told {
  return { since, failures: 0 };
}

/** Decides over what happened `at` a moment to a job of which `told` is known. */
export function tell(
  { notify, told }: { readonly notify: NotifyPolicy; readonly told: Told },
  happening: Happening,
  at: Instant,
): Decision {
  switch (happening.kind) {
    case 'finished':
      if (happening.outcome.kind === 'cancelled') return { reason: 'meant', words: [], told };
      return happening.outcome.kind === 'succeeded'
        ? succeeded({ notify, told }, happening, at)
        : failed({ notify, told }, happening, at);
    case 'skipped':
      return skipped({ notify, told }, happening.reason, at);
    case 'late':
      if (told.late !== undefined) return { reason: 'told_already', words: [], told };
      return say('fell_late', [wordOf(notify, 'late')], { ...told, late: happening.what });
  }
}

interface Known {
  readonly notify: NotifyPolicy;
  readonly told: Told;
}
type Finished = Extract<Happening, { kind: 'finished' }>;

function failed({ notify, told }: Known, { begun }: Finished, at: Instant): Decision {
  const failures = told.failures + 1;
  const next = { ...withoutMissed(told, begun), failures, failingSince: told.failingSince ?? at };
  if (told.failureTold === true) return { reason: 'told_already', words: [], told: next };
  if (failures < notify.after) return { reason: 'too_few', words: [], told: next };
  return say('first_failure', [wordOf(notify, 'failure')], { ...next, failureTold: true });
}

function succeeded({ notify, told }: Known, { slot, begun }: Finished, at: Instant): Decision {
  const { since, missedAt } = withoutMissed(told, begun);
  const recovered = told.failureTold === true || told.late !== undefined;
  const succeededSlot = Math.max(slot, told.succeededSlot ?? slot);
  const next = {
    since,
    failures: 0,
    succeededAt: at,
    succeededSlot,
    ...(missedAt === undefined ? {} : { missedAt }),
  };
  const words = [...(recovered ? [wordOf(notify, 'recovery')] : []), wordOf(notify, 'success')];
  if (words.every(({ to }) => to.length === 0)) {
    const reason = recovered ? 'nobody_asked' : 'nothing_changed';
    return { reason, words: [], told: next };
  }
  return say(recovered ? 'recovered' : 'succeeded', words, next);
}

function skipped({ notify, told }: Known, reason: SkipReason, at: Instant): Decision {
  if (!MISSED.has(reason)) return { reason: 'meant', words: [], told };
  const next = { ...told, missedAt: at };
  if (told.missedAt !== undefined) return { reason: 'told_already', words: [], told: next };
  return say('slots_missed', [wordOf(notify, 'missed')], next);
}

/** A run during which nothing was skipped ends the story: what is skipped later is news. */
function withoutMissed(told: Told, begun: Instant): Told {
  const { missedAt, ...rest } = told;
  return missedAt === undefined || missedAt >= begun ? told : rest;
}

function say(reason: TellReason, words: readonly Word[], told: Told): Decision {
  const heard = words.filter(({ to }) => to.length > 0);
  return heard.length === 0 ? { reason: 'nobody_asked', words: [], told } : { reason, words: heard, told };
}

function wordOf(notify: NotifyPolicy, notice: Notice): Word {
  return { notice, to: notify[notice] };
}
