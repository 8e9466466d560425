/** What the node that conducts looks after by the clock: nodes that fell silent, and what the tables need not keep. */
import type { Clock } from '../engine/ports.ts';
import type { Duration } from '../model.ts';
import type { Database, Queryable } from '../postgres/database.ts';
import { formatDuration } from '../schedule/duration.ts';
import { Errand } from './errand.ts';
import { fenced } from '../postgres/fence.ts';
import type { Queue } from './queue.ts';
import { recordLosses, silentClaims, sweepRecords, type Silent, type Swept } from './records.ts';
import { grouped } from './requirement.ts';

/** How long a node may be silent until its attempts are given up. */
export interface Patience {
  /** Of a node that should be there. */
  readonly silence: Duration;
  /** Of a node that stopped, and left attempts running as their jobs say. */
  readonly away: Duration;
  /** Between two looks. */
  readonly look: Duration;
  /** Between two times that reports and orders are tidied up. */
  readonly tidy: Duration;
  /** The same of the queue. */
  readonly sweep: Duration;
}

export const PATIENCE: Patience = {
  silence: 15_000,
  away: 600_000,
  look: 3000,
  tidy: 120_000,
  sweep: 60_000,
};

/** In one transaction. */
const MOST = 500;
/** Settled attempts that leave the queue in one statement. */
const SWEPT = 2000;
/** Between two statements that remove something, at least: what falls due comes in between. */
const BREATH: Duration = 100;
/** So long the database has been there before anything is removed that somebody may have waited for while it was away. */
const SETTLED: Duration = 60_000;

export interface LookoutOptions extends Partial<Patience> {
  readonly database: Database;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly term: number;
  /** How long this node has had the database without a gap: if that is not long enough, it is the one who heard nothing. */
  readonly contactFor: () => Duration;
  /** Attempts are under way. */
  readonly isNeeded: () => boolean;
  /** Of attempts that are to be put into the queue it is not known whether they are there already. */
  readonly isInDoubt: () => boolean;
  readonly whileInOffice: (work: () => Promise<void>) => Promise<void>;
  readonly onTrouble: (message: string) => void;
}

export class Lookout {
  readonly #options: LookoutOptions;
  readonly #patience: Patience;
  readonly #errand: Errand;
  /** On its own: it may take minutes, in which nodes fall silent. */
  readonly #tidying: Errand;
  readonly #sweeping: Errand;
  #tidiedAt: Duration;
  /** As far as this round has come. */
  #tidied: Swept | undefined;
  #sweptAt: Duration;
  #callOff: (() => void) | undefined;

  constructor(options: LookoutOptions) {
    this.#options = options;
    const { clock, onTrouble, whileInOffice } = options;
    const { silence, away, look, tidy, sweep } = { ...PATIENCE, ...options };
    this.#patience = { silence, away, look, tidy, sweep };
    const errand = (work: () => Promise<void>, gap = 0): Errand =>
      new Errand({ clock, onTrouble, gap, run: () => whileInOffice(work) });
    this.#errand = errand(() => this.#look());
    this.#tidying = errand(() => this.#tidyUp(), BREATH);
    this.#sweeping = errand(() => this.#sweep(), BREATH);
    this.#tidiedAt = this.#sweptAt = clock.monotonic();
    this.#wait();
  }

  close(): void {
    this.#callOff?.();
    this.#errand.close();
    this.#tidying.close();
    this.#sweeping.close();
  }

  #wait(): void {
    const { clock, isNeeded } = this.#options;
    this.#callOff = clock.after(this.#patience.look, () => {
      if (isNeeded()) this.#errand.ask();
      if (this.#isUntidy) this.#tidying.ask();
      if (clock.monotonic() - this.#sweptAt >= this.#patience.sweep) this.#sweeping.ask();
      this.#wait();
    });
  }

  get #isUntidy(): boolean {
    return this.#options.clock.monotonic() - this.#tidiedAt >= this.#patience.tidy;
  }

  async #look(): Promise<void> {
    const { database, queue, term, contactFor } = this.#options;
    if (contactFor() < this.#patience.silence) return;
    const silent = await silentClaims(database, queue, { ...this.#patience, most: MOST });
    if (silent.length === 0) return;
    const lost = await fenced(database, term, (tx) => this.#giveUp(tx, silent));
    if (lost > 0) this.#errand.ask();
  }

  async #tidyUp(): Promise<void> {
    const { database, queue, term, contactFor } = this.#options;
    if (contactFor() < SETTLED) return;
    this.#tidied = await fenced(database, term, (tx) => sweepRecords(tx, queue, this.#tidied));
    if (this.#tidied === undefined) this.#tidiedAt = this.#options.clock.monotonic();
    else this.#tidying.ask();
  }

  /** By the row alone one knows that an attempt that is put there again has been there: none goes meanwhile, nor by one who is deposed. */
  async #sweep(): Promise<void> {
    const { database, queue, term, isInDoubt } = this.#options;
    if (isInDoubt()) return;
    const swept = await fenced(database, term, (tx) => queue.sweep(tx, SWEPT));
    if (swept === SWEPT) this.#sweeping.ask();
    else this.#sweptAt = this.#options.clock.monotonic();
  }

  /** Those that their nodes have not settled meanwhile. Gives how many. */
  async #giveUp(tx: Queryable, silent: readonly Silent[]): Promise<number> {
    const { queue, database } = this.#options;
    const lost: Silent[] = [];
    for (const [name, claims] of grouped(silent, (each) => each.queue)) {
      const settled = await queue.giveUp(tx, name, claims);
      lost.push(...claims.filter(({ id, spec }) => settled.has(id) || spec === null));
    }
    const losses = lost.map((silent) => ({ silent, message: this.#because(silent) }));
    if (losses.length > 0) await recordLosses(tx, losses, `${database.schema}_report`);
    return losses.length;
  }

  #because({ name, hasStopped }: Silent): string {
    const { silence, away } = this.#patience;
    return hasStopped
      ? `node ${name} stopped, and was not back within ${formatDuration(away)}`
      : `node ${name} was not heard of for ${formatDuration(silence)}`;
  }
}
