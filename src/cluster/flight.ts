/** An attempt on its way, as the node that conducts sees it. */
import type { AttemptReport, AttemptSpec, Recovery, StopReason } from '../engine/ports.ts';
import type { Instant, Outcome } from '../model.ts';
import type { Found, Order } from './records.ts';
import type { Requirement } from './requirement.ts';

export type Hear = (report: AttemptReport) => void;

/** An attempt that is not over. */
export interface Flight {
  readonly id: string;
  readonly spec: AttemptSpec;
  requirement: Pick<Requirement, 'name'>;
  /** It may lie in the queue. */
  isTried: boolean;
  /** It lies in the queue, or did. */
  isSent: boolean;
  hasStarted: boolean;
  /** Undefined: nobody follows it yet, and what is reported waits in `early`. */
  hear: Hear | undefined;
  readonly early: AttemptReport[];
  order: Order;
}

/** A recovery without the way to follow it. */
export type State =
  | Exclude<Recovery, { follow: unknown }>
  | Omit<Extract<Recovery, { kind: 'running' }>, 'follow'>
  | { readonly kind: 'queued' };

/** How an attempt stands, by what is known of it. */
export function stateOf(found: Found | undefined, now: Instant): State {
  if (found === undefined) return { kind: 'never_begun' };
  const node = found.started?.node ?? found.holder ?? undefined;
  if (found.outcome !== null) {
    const { outcome, endedAgo, startedAgo } = found;
    const reported = startedAgo === null ? undefined : Math.max(startedAgo - (endedAgo ?? 0), 0);
    const ranFor = found.ranFor ?? reported;
    return { kind: 'ended', outcome, at: Math.round(now - (endedAgo ?? 0)), ranFor, node };
  }
  if (found.holder !== null) {
    const { pid, startTime } = found.started ?? {};
    return { kind: 'running', pid, startTime, node, ranFor: found.startedAgo ?? found.heldFor ?? 0 };
  }
  if (found.isWaiting) return { kind: 'queued' };
  if (found.queue === null) return { kind: 'never_begun' };
  return { kind: 'ended', outcome: { kind: 'lost', message: UNKNOWN } };
}

const UNKNOWN = 'It was given to a node; how it ended is not known.';

/** What it comes to, where nobody has begun it. */
export function outcomeOf({ stop, kill }: Order): Outcome {
  const reason: StopReason | undefined = stop ?? kill;
  if (reason?.kind === 'timed_out') return { kind: 'timed_out', after: reason.after };
  return { kind: 'cancelled', by: reason?.by ?? 'operator' };
}
