import type { Abandonment } from './abandonment.ts';
import type { Alarm } from './alarm.ts';
import type { AttemptReport, Clock, EngineEvent, Executor, Store } from './ports.ts';

/** What a run needs of the engine. */
export interface RunSurroundings<Run> {
  readonly clock: Clock;
  readonly alarm: Alarm;
  readonly executor: Executor;
  readonly store: Pick<Store, 'durable' | 'save' | 'previousSuccess'>;
  readonly random: () => number;
  /** Nothing new starts any more, not even another attempt. */
  readonly closing: boolean;
  /** Once it is over with the engine, what was asked before is not gone on with. */
  readonly abandonment: Pick<Abandonment, 'isOver'>;
  emit(event: EngineEvent): void;
  /** Hands a report to the run when the starts under way are done: nothing delays a start, no report re-enters one. */
  reported(run: Run, attempt: number, report: AttemptReport): void;
  /** Records a state that the store did not take; the run goes on. */
  storeFailed(error: unknown): void;
  /** The run is over: its record is final. */
  released(run: Run): void;
  /** While stopping: the run is left to the next daemon. */
  left(): void;
}
