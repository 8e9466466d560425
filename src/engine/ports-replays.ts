/** What may be asked of a running daemon about replays: a part of ports-operator.ts. */
import type { Instant, JobId } from '../model.ts';
import type { Replay } from '../replay.ts';
import type { Answer } from './refusal.ts';

/** Past slots that are to become runs. */
export interface ReplayRequest {
  readonly jobId: JobId;
  /** Scheduled times, both included. */
  readonly from: Instant;
  readonly to: Instant;
  readonly order: Replay['order'];
  /** Leaves out slots that have a run that succeeded, or is active. */
  readonly missingOnly: boolean;
  readonly parallel: number;
  readonly by: string;
}

export interface ReplayPlanned {
  /** `slots` in the order of their runs; `to` is never later than now. */
  readonly plan: Omit<ReplayRequest, 'by'> & { readonly slots: readonly Instant[] };
}

export interface ReplayView {
  readonly replay: Replay;
  /** Why its next slot is not started yet; undefined: there is none, or it is about to be. */
  readonly waitsFor: 'not_loaded' | 'paused' | 'turn' | undefined;
}

export interface ReplayOperator {
  /** Replays under way, and the newest of those that are over; newest first. */
  list(): readonly ReplayView[];
  /** By its id or the beginning of it. */
  find(idOrPrefix: string): Answer<ReplayView>;
  /** What a replay would do. */
  plan(request: ReplayRequest): Promise<Answer<ReplayPlanned>>;
  start(request: ReplayRequest): Promise<Answer<Replay>>;
  /** Nothing more of it starts, and its active runs are cancelled; answered once that is recorded. */
  cancel(idOrPrefix: string, by: string): Promise<Answer<Replay>>;
}
