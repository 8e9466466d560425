/** What the daemon and the thread that holds its database say to each other. */
import type { HistoryRow } from '../../engine/ports.ts';
import type { RunPage, RunQuery } from '../../engine/ports-operator.ts';
import type { Hours, LanesQuery, Window } from '../../engine/ports-timeline.ts';
import type { Instant, JobId, RunId, RunRecord } from '../../model.ts';
import type { Contents } from '../contents.ts';
import type { CountedSpans, JobHistory, PastLane, PastLoad, RowQuery, SlotPast, Span } from '../history.ts';
import type { PruneRequest, Pruned } from '../pruner.ts';
import type { RunOwner } from '../history.ts';

/** What a thread holds: the daemon's one writer, or a reader beside it, whose slow questions delay no claim. */
export interface Held {
  readonly path: string;
  readonly readOnly: boolean;
}

/** Answered one after another, in their order. A batch travels as JSON text: cheaper to copy than its objects. */
export type Request =
  | { readonly kind: 'contents' }
  | { readonly kind: 'record'; readonly batch: string }
  | { readonly kind: 'prune'; readonly request: PruneRequest }
  | { readonly kind: 'rows'; readonly query: RowQuery }
  | { readonly kind: 'page'; readonly query: RunQuery }
  | { readonly kind: 'run'; readonly id: RunId }
  | { readonly kind: 'unique_lengths'; readonly ids: readonly RunId[] }
  | { readonly kind: 'jobs'; readonly ids: readonly JobId[]; readonly runs: number }
  | { readonly kind: 'slot'; readonly id: JobId; readonly at: Instant }
  | { readonly kind: 'newest_slot'; readonly id: JobId; readonly at: Instant }
  | { readonly kind: 'latest'; readonly ids: readonly JobId[] }
  | { readonly kind: 'failing' }
  | { readonly kind: 'counts'; readonly jobId: JobId; readonly spans: readonly Span[] }
  | { readonly kind: 'hours'; readonly window: Window }
  | { readonly kind: 'lanes'; readonly query: LanesQuery }
  | { readonly kind: 'load'; readonly window: Window }
  | { readonly kind: 'owners'; readonly runs: readonly RunId[] }
  | { readonly kind: 'close' };

export interface Answers {
  readonly contents: Contents;
  readonly record: readonly boolean[];
  readonly prune: Pruned;
  readonly rows: readonly HistoryRow[];
  readonly page: RunPage | undefined;
  readonly run: RunRecord | 'ambiguous' | undefined;
  readonly unique_lengths: ReadonlyMap<RunId, number>;
  readonly jobs: ReadonlyMap<JobId, JobHistory>;
  readonly slot: SlotPast;
  readonly newest_slot: Instant | undefined;
  readonly latest: readonly RunRecord[];
  readonly failing: readonly JobId[];
  readonly counts: CountedSpans;
  readonly hours: Hours;
  readonly lanes: readonly PastLane[];
  readonly load: PastLoad;
  readonly owners: ReadonlyMap<RunId, RunOwner>;
  readonly close: null;
}

/** An error on its way between threads. */
export interface Trouble {
  /**
   * `refused`: what is there cannot be used (see DatabaseRefused). `disk`: it cannot be read or written now. `gone`: the file is not
   * where it was. `bug`: it will fail again.
   */
  readonly kind: 'refused' | 'disk' | 'gone' | 'bug';
  readonly message: string;
  readonly hint?: string;
}

/** Said without being asked: the write-ahead log has grown to so many bytes, because somebody reads the database all the while. */
export interface Notice {
  readonly logSize: number;
}

export type Reply = { readonly answer: unknown } | { readonly trouble: Trouble };
