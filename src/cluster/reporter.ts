/** Tells what becomes of the attempts of a node: all of a moment in one transaction, and whatever the database does, until it is told. */
import type { AttemptHandle, AttemptSpec, Clock, KnownProcess } from '../engine/ports.ts';
import type { Duration, Outcome } from '../model.ts';
import { StatementRefused, type Database, type Queryable } from '../postgres/database.ts';
import { Errand } from './errand.ts';
import type { Claim, Queue } from './queue.ts';
import { endsOf, recordEnds, recordStarts, type Order, type Started } from './records.ts';
import { grouped } from './requirement.ts';

/** An attempt that this node took, until its end is recorded. */
export interface Held extends Claim {
  readonly queue: string;
  readonly spec: AttemptSpec;
  handle?: AttemptHandle;
  /** That it began is told, or about to be. */
  hasStarted?: boolean;
  /** When it was begun, by the monotonic clock; in the past where an earlier daemon did. */
  began?: Duration;
  /** It has ended. */
  outcome?: Outcome;
  /** How long it ran, if that is known. */
  ranFor?: Duration | undefined;
  /** It is somebody else's business by now. */
  isGivenUp: boolean;
}

/** As far as it was begun here. */
export function obey({ handle }: Held, order: Order | null): void {
  if (order?.stop !== undefined) handle?.stop(order.stop);
  if (order?.kill !== undefined) handle?.kill(order.kill);
}

export interface ReporterOptions {
  readonly database: Database;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly node: { readonly id: string; readonly name: string };
  readonly onTrouble: (message: string) => void;
  /** `counts`: its end is recorded; else it came too late. */
  readonly onSettled: (held: Held, counts: boolean) => void;
}

/** In one transaction. */
const MOST = 500;
/** Between two of them: what comes within it costs no more than one report. Milliseconds. */
const GAP: Duration = 10;

export class Reporter {
  readonly #options: ReporterOptions;
  readonly #errand: Errand;
  #starts: Started[] = [];
  #ends: Held[] = [];

  constructor(options: ReporterOptions) {
    this.#options = options;
    const { clock, onTrouble } = options;
    this.#errand = new Errand({ clock, onTrouble, gap: GAP, run: () => this.#tell() });
  }

  started(held: Held, { pid, startTime }: KnownProcess): void {
    const { name: node } = this.#options.node;
    const report = { node, ...(pid !== undefined && { pid }), ...(startTime !== undefined && { startTime }) };
    held.hasStarted = true;
    this.#starts.push({ attempt: held.id, report });
    this.#errand.ask();
  }

  /** It has an outcome. */
  ended(held: Held): void {
    // Of what was over before anybody could look, an executor tells the end alone; but it is also to be known where it ran.
    if (held.hasStarted !== true && held.outcome?.kind !== 'not_started') this.started(held, {});
    this.#ends.push(held);
    this.#errand.ask();
  }

  /** Resolves when all is told, or after so long. */
  async flush(patience: Duration): Promise<void> {
    const late = Promise.withResolvers<void>();
    const callOff = this.#options.clock.after(patience, late.resolve);
    await Promise.race([this.#errand.idle(), late.promise]);
    callOff();
  }

  /** The database is back. */
  hurry(): void {
    this.#errand.hurry();
  }

  async settled(): Promise<void> {
    await this.#errand.settled();
  }

  close(): void {
    this.#errand.close();
  }

  async #tell(): Promise<void> {
    const starts = this.#starts.splice(0, MOST);
    const ends = this.#ends.splice(0, MOST);
    if (starts.length + ends.length === 0) return;
    try {
      await this.#recordOr(starts, ends);
    } catch (error) {
      this.#starts.unshift(...starts);
      this.#ends.unshift(...ends);
      throw error;
    }
    if (this.#starts.length + this.#ends.length > 0) this.#errand.ask();
  }

  /** Where one of them cannot be stored, the others are all the same; and of that one that it ended, though not how. */
  async #recordOr(starts: readonly Started[], ends: readonly Held[]): Promise<void> {
    try {
      const { database } = this.#options;
      const counting = await database.transaction((tx) => this.#record(tx, starts, ends));
      for (const held of ends) this.#options.onSettled(held, counting.has(held.id));
    } catch (error) {
      const [first] = ends;
      if (!(error instanceof StatementRefused) || first === undefined) throw error;
      if (starts.length > 0) await this.#recordOr(starts, []);
      if (starts.length > 0 || ends.length > 1) for (const held of ends) await this.#recordOr([], [held]);
      else if (first.outcome?.kind === 'lost') throw error;
      else {
        first.outcome = { kind: 'lost', message: `how it ended could not be recorded: ${error.message}` };
        await this.#recordOr([], ends);
      }
    }
  }

  /** Gives those whose end counts. */
  async #record(
    tx: Queryable,
    starts: readonly Started[],
    ends: readonly Held[],
  ): Promise<ReadonlySet<string>> {
    const { queue, database, node } = this.#options;
    const channel = `${database.schema}_report`;
    if (starts.length > 0) await recordStarts(tx, starts, { node: node.id, channel });
    const settled = new Set<string>();
    for (const [name, group] of grouped(ends, (each) => each.queue))
      for (const id of await queue.finish(tx, name, group)) settled.add(id);
    const counting = ends.filter(({ id }) => settled.has(id));
    const rows = counting.flatMap(({ id, outcome, ranFor }) =>
      outcome === undefined ? [] : { attempt: id, outcome, ranFor },
    );
    if (rows.length > 0) await recordEnds(tx, rows, { node: node.id, channel });
    const others = ends.filter(({ id }) => !settled.has(id)).map(({ id }) => id);
    if (others.length === 0) return settled;
    // Of some, an earlier try may have arrived after all.
    return new Set([...settled, ...(await endsOf(tx, others, node.id))]);
  }
}
