/** A sign of life as membership gives it, ten times as often. */
import type { Queue } from '../../src/cluster/queue.ts';
import { systemClock } from '../../src/engine/clock.ts';
import type { Database } from '../../src/postgres/database.ts';

export interface BeatOptions {
  readonly database: Database;
  readonly queue: Queue;
  readonly id: string;
  readonly name: string;
  readonly silence?: number | undefined;
  readonly onReady: (queues: readonly string[]) => void;
}

const EVERY = 200;

export class Beat {
  readonly #options: BeatOptions;
  #since = 0;
  #last = -Infinity;
  #isOver = false;

  constructor(options: BeatOptions) {
    this.#options = options;
  }

  get contactFor(): number {
    const { silence = 15_000 } = this.#options;
    const now = systemClock.monotonic();
    return now - this.#last > silence / 3 ? 0 : Math.max(now - this.#since, 1);
  }

  async begin(): Promise<void> {
    await this.#say('up');
    this.#later();
  }

  async end(state: string): Promise<void> {
    this.#isOver = true;
    await this.#say(state);
  }

  #later(): void {
    systemClock.after(EVERY, () => {
      if (this.#isOver) return;
      void this.#say('up')
        .catch(() => undefined)
        .finally(() => this.#later());
    });
  }

  async #say(state: string): Promise<void> {
    const { database, queue, id, name, onReady } = this.#options;
    const began = systemClock.monotonic();
    const rows = await database.query<{ ready: string[] }>(
      `WITH beat AS (INSERT INTO nodes (id, name, state, schedules) VALUES ($1, $2, $3, false)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, beat_at = clock_timestamp())
       SELECT array(SELECT q.name FROM queues q WHERE EXISTS (
         SELECT 1 FROM ${queue.table} j WHERE j.name = q.name AND j.state < 'active')) AS ready`,
      [id, name, state],
    );
    if (this.contactFor === 0) this.#since = began;
    this.#last = began;
    onReady(rows[0]?.ready ?? []);
  }
}
