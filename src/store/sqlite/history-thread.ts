import type { RunPage, RunQuery } from '../../engine/ports-operator.ts';
import type { Hours, LanesQuery, Window } from '../../engine/ports-timeline.ts';
import type { Instant, JobId, RunId, RunRecord } from '../../model.ts';
import type {
  CountedSpans,
  HistorySource,
  JobHistory,
  PastLane,
  PastLoad,
  SlotPast,
  Span,
} from '../history.ts';
import { Connection, StoreTrouble } from './connection.ts';
import type { Answers, Request } from './protocol.ts';

/**
 * The history, read by a thread of its own: neither the loop nor the thread that claims slots waits for a long question. The
 * thread is made for the first one.
 */
export class HistoryThread implements HistorySource {
  readonly #path: string;
  #connection: Connection | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  page(query: RunQuery): Promise<RunPage | undefined> {
    return this.#ask<'page'>({ kind: 'page', query });
  }

  run(id: RunId): Promise<RunRecord | 'ambiguous' | undefined> {
    return this.#ask<'run'>({ kind: 'run', id });
  }

  uniqueLengths(ids: readonly RunId[]): Promise<ReadonlyMap<RunId, number>> {
    return this.#ask<'unique_lengths'>({ kind: 'unique_lengths', ids });
  }

  jobs(ids: readonly JobId[], runs: number): Promise<ReadonlyMap<JobId, JobHistory>> {
    return this.#ask<'jobs'>({ kind: 'jobs', ids, runs });
  }

  slot(id: JobId, at: Instant): Promise<SlotPast> {
    return this.#ask<'slot'>({ kind: 'slot', id, at });
  }

  newestSlot(id: JobId, at: Instant): Promise<Instant | undefined> {
    return this.#ask<'newest_slot'>({ kind: 'newest_slot', id, at });
  }

  failing(): Promise<readonly JobId[]> {
    return this.#ask<'failing'>({ kind: 'failing' });
  }

  counts(jobId: JobId, spans: readonly Span[]): Promise<CountedSpans> {
    return this.#ask<'counts'>({ kind: 'counts', jobId, spans });
  }

  hours(window: Window): Promise<Hours> {
    return this.#ask<'hours'>({ kind: 'hours', window });
  }

  lanes(query: LanesQuery): Promise<readonly PastLane[]> {
    return this.#ask<'lanes'>({ kind: 'lanes', query });
  }

  load(window: Window): Promise<PastLoad> {
    return this.#ask<'load'>({ kind: 'load', window });
  }

  async close(): Promise<void> {
    await this.#connection?.end();
  }

  /** @throws StoreTrouble */
  async #ask<Kind extends Request['kind']>(
    request: Extract<Request, { kind: Kind }>,
  ): Promise<Answers[Kind]> {
    if (this.#connection?.isDead === true) this.#connection = undefined;
    this.#connection ??= new Connection(this.#path, { readOnly: true });
    const asked = this.#connection;
    try {
      return await asked.ask<Kind>(request);
    } catch (error) {
      // The writer has begun a new file of that name: read that from now on.
      if (error instanceof StoreTrouble && error.kind === 'gone' && this.#connection === asked) {
        this.#connection = undefined;
        void asked.end();
      }
      throw error;
    }
  }
}
