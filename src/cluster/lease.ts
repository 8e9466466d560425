/**
 * Who conducts, decided from what one beat found. Pure: the ages it is given are by the database's clock, so that no node's own
 * clock has a say; how far a conductor may trust itself between two beats is a matter of its monotonic clock alone.
 */
import type { Duration } from '../model.ts';

/** Between two beats of a node. */
export const BEAT: Duration = 2000;
/** Beats that others ask for come at most so often. */
export const AT_ONCE: Duration = 50;
/** A conductor that has not beaten for so long has lost the term, alive or not. */
export const LEASE: Duration = 8000;
/** From the start of its last good beat a conductor trusts itself for so long: it stops well before anybody may take over. */
export const TRUST: Duration = 6000;
/** Between two good beats of a node that had no trouble at most: else something may have been missed. */
export const GAP: Duration = TRUST;
/** A conductor that misses a beat is looked at: has the database lost its session too, it is dead. Half a beat's worth of patience. */
export const LATE: Duration = BEAT + 500;
/** A node that has not beaten for so long is silent. */
export const SILENT: Duration = 15_000;
/** From here on a difference of clocks is warned about. */
export const SKEW_WARNED: Duration = 1000;
/** Beyond this a node does not conduct: what it would call now is not what others call now. */
export const SKEW_BORNE: Duration = 5000;

/** What a beat found, and how the node stands. */
export interface Finding {
  /** Whether the node may conduct at all. */
  readonly schedules: boolean;
  /** Whether its clock is further off than is borne. */
  readonly isSkewed: boolean;
  /** It is leaving. */
  readonly isLeaving: boolean;
  /** The term by which it conducts. */
  readonly ownTerm: number | undefined;
  readonly conductor: {
    readonly term: number;
    /** Undefined: nobody conducts; the last one gave the term back. */
    readonly node: 'this' | 'other' | undefined;
    /** Since it was heard of. */
    readonly beatAgo: Duration;
  };
}

export type Decision =
  | { readonly kind: 'keep' }
  /** `ifDead`: only when the session of the conductor is gone from the database. */
  | {
      readonly kind: 'take_over';
      readonly reason: 'vacant' | 'expired' | 'own_earlier';
      readonly ifDead: false;
    }
  | { readonly kind: 'take_over'; readonly reason: 'died'; readonly ifDead: true }
  /** `deposed`: another has the term, so there is nothing to give back. */
  | { readonly kind: 'step_down'; readonly reason: 'deposed' | 'skewed' | 'leaving' }
  | { readonly kind: 'wait'; readonly reason: 'works_only' | 'skewed' | 'leaving' | 'conducted' };

/** Why a node begins to conduct, for its log. */
export const WHY_TAKEN: Readonly<Record<(Decision & { readonly kind: 'take_over' })['reason'], string>> = {
  vacant: 'nobody did',
  own_earlier: 'it did before',
  died: 'the node that did has died',
  expired: 'the node that did has not been heard of',
};

export function decide(finding: Finding): Decision {
  const { schedules, isSkewed, isLeaving, ownTerm, conductor } = finding;
  if (ownTerm !== undefined) {
    if (conductor.node !== 'this' || conductor.term !== ownTerm)
      return { kind: 'step_down', reason: 'deposed' };
    if (isLeaving) return { kind: 'step_down', reason: 'leaving' };
    return isSkewed ? { kind: 'step_down', reason: 'skewed' } : { kind: 'keep' };
  }
  if (!schedules) return { kind: 'wait', reason: 'works_only' };
  if (isLeaving) return { kind: 'wait', reason: 'leaving' };
  if (isSkewed) return { kind: 'wait', reason: 'skewed' };
  if (conductor.node === undefined) return { kind: 'take_over', reason: 'vacant', ifDead: false };
  // Of this node before it was restarted, or stepped down without being able to say so: nobody conducts by it.
  if (conductor.node === 'this') return { kind: 'take_over', reason: 'own_earlier', ifDead: false };
  if (conductor.beatAgo >= LEASE) return { kind: 'take_over', reason: 'expired', ifDead: false };
  if (conductor.beatAgo >= LATE) return { kind: 'take_over', reason: 'died', ifDead: true };
  return { kind: 'wait', reason: 'conducted' };
}

/**
 * When to beat next. Who might take over looks just when the conductor's next beat is overdue: a death is noticed half a second
 * later, and it costs no beat more.
 */
export function nextBeat(decision: Decision, beatAgo: Duration): Duration {
  if (decision.kind === 'wait' && decision.reason === 'conducted')
    return Math.min(Math.max(LATE - beatAgo, BEAT / 4), BEAT);
  // It misses beats, and its session lives: it hangs, or is cut off. The lease is about to end.
  if (decision.kind === 'take_over') return BEAT / 2;
  return BEAT;
}
