/**
 * What a node does as one of many: it takes attempts that wait for a node like it, has them run by an ordinary executor, and reports what
 * becomes of them. What it runs it holds in the database; what it does not hold any more was given up while it was silent, and ends.
 */
import type { AttemptReport, AttemptSpec, Clock, Executor, StopReason } from '../engine/ports.ts';
import type { CancelledBy, Duration, Outcome } from '../model.ts';
import type { Database } from '../postgres/database.ts';
import { Errand } from './errand.ts';
import { PATIENCE } from './lookout.ts';
import { Offers } from './offers.ts';
import type { Queue, Taken } from './queue.ts';
import { forgetGivenUp, givenUp, holdings, ordersFor, recordTaken, type Holding } from './records.ts';
import { obey, Reporter, type Held } from './reporter.ts';

export interface WorkOptions {
  readonly database: Database;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly executor: Executor;
  readonly node: { readonly id: string; readonly name: string };
  /** Attempts it runs at once. */
  readonly slots: number;
  readonly labels: readonly string[];
  /** How long it has had the database without a gap; 0: it has it not. */
  readonly contactFor: () => Duration;
  /** After so much silence the others give up what it holds; default 15 s. */
  readonly silence?: Duration;
  readonly onTrouble: (message: string) => void;
  /** What it ran was given up meanwhile: it is ended, or its end comes too late and does not count. */
  readonly onRefused: (spec: AttemptSpec, message: string) => void;
  /** Its end is recorded. */
  readonly onEnded: (spec: AttemptSpec) => void;
}

/** Attempts taken at once: few, so that those that fall due together spread over the nodes; twice as many, where that is not enough. */
const FEW = 25;
const MANY = 200;
/** Between two looks at what is held, as long as anything is; and at whether there was a gap. */
const CHECK: Duration = 30_000;
const TICK: Duration = 2000;
/** How long it waits, when it stops, for a database that is away. What is not told then is found at the next start. */
const LAST_WORDS: Duration = 10_000;

export class Work {
  readonly #options: WorkOptions;
  readonly #attempts = new Map<string, Held>();
  readonly #offers: Offers;
  readonly #reporter: Reporter;
  readonly #fetch: Errand;
  readonly #orders: Errand;
  /** Attempts of which an order was heard; all that are held, after a gap. */
  readonly #heard = new Set<string>();
  /** What it holds may be something else than it believes. */
  #isInDoubt = false;
  /** What was settled while it looked at what it holds. */
  #settled: Set<string> | undefined;
  #isStarted = false;
  #isDrained = false;
  #isStopping = false;
  #isClosed = false;
  /** Once it stops: what is to end by now. */
  #isEnding: (onShutdown: AttemptSpec['onShutdown']) => boolean = () => false;
  #lastTick: Duration;
  #lastCheck: Duration;
  #lastContact: Duration = 0;
  #callOff: (() => void) | undefined;
  #whenLess: (() => void)[] = [];

  constructor(options: WorkOptions) {
    this.#options = options;
    const { clock, onTrouble } = options;
    this.#lastTick = this.#lastCheck = clock.monotonic();
    this.#offers = new Offers(options);
    this.#reporter = new Reporter({ ...options, onSettled: (held, counts) => this.#over(held, counts) });
    this.#fetch = new Errand({ clock, onTrouble, run: () => this.#fetchAll() });
    this.#orders = new Errand({ clock, onTrouble, run: () => this.#obeyHeard() });
  }

  /** Takes up what this node held when it ended, and begins to take more. @throws DatabaseAway */
  async start(): Promise<void> {
    const { database, queue, node } = this.#options;
    const held = await holdings(database, queue, node.id);
    await Promise.all(held.map((each) => this.#recover(each)));
    await this.#endGivenUp();
    await this.#offers.load();
    this.#isStarted = true;
    const { schema } = database;
    await database.listen(
      `${schema}_work`,
      (name) => (name === '' ? this.#offers.changed() : this.ready([name])),
      () => {
        this.#offers.changed();
        this.#doubt();
        this.#reporter.hurry();
        for (const each of [this.#fetch, this.#orders]) each.hurry();
      },
    );
    await database.listen(
      `${schema}_order`,
      (attempt) => this.#hear(attempt),
      () => this.#doubt(),
    );
    this.#tick();
  }

  /** Attempts that run here. */
  get busy(): number {
    let busy = 0;
    for (const held of this.#attempts.values()) if (held.outcome === undefined) busy += 1;
    return busy;
  }

  /** Module files that loaded jobs need, and that are not here. */
  get lacks(): readonly string[] {
    return this.#offers.lacks;
  }

  /** Something waits in these queues. */
  ready(queues: readonly string[]): void {
    for (const name of queues) this.#offers.add(name);
    if (queues.length > 0 && this.#takes) this.#fetch.ask();
  }

  /** It takes nothing new, or takes again. */
  drain(on: boolean): void {
    this.#isDrained = on;
    if (this.#takes) this.#fetch.ask();
  }

  /**
   * Takes nothing new for good. What runs ends as `on_shutdown` of its job says, by `wait` within `drain`; called again, the shorter one counts.
   * Resolves when all has ended and is reported, but what is left running for the next start.
   */
  async stop({ drain }: { readonly drain: Duration }): Promise<void> {
    this.#isStopping = true;
    await this.#fetch.settled();
    this.#endAll((onShutdown) => onShutdown === 'terminate');
    const { clock } = this.#options;
    // No timer is for ever: it would be over at once.
    const callOff = Number.isFinite(drain)
      ? clock.after(drain, () => this.#endAll((policy) => policy !== 'leave'))
      : undefined;
    while (this.#staying.length > 0) await new Promise<void>((resolve) => this.#whenLess.push(resolve));
    callOff?.();
    await this.#reporter.flush(LAST_WORDS);
  }

  /** Ends by KILL what is not to be left. Resolves as `stop` does. */
  async stopNow(): Promise<void> {
    const stopped = this.stop({ drain: 0 });
    for (const held of this.#staying) held.handle?.kill({ kind: 'cancelled', by: 'shutdown' });
    await stopped;
  }

  /** Lets go of everything; what still runs is left to itself. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#callOff?.();
    this.#offers.close();
    for (const each of [this.#fetch, this.#orders]) each.close();
    this.#reporter.close();
    await Promise.all([this.#fetch.settled(), this.#orders.settled(), this.#reporter.settled()]);
  }

  get #takes(): boolean {
    return this.#isStarted && !this.#isDrained && !this.#isStopping && !this.#isClosed;
  }

  get #staying(): readonly Held[] {
    return [...this.#attempts.values()].filter(
      ({ outcome, spec }) => outcome === undefined && spec.onShutdown !== 'leave',
    );
  }

  #endAll(isMeant: (onShutdown: AttemptSpec['onShutdown']) => boolean): void {
    this.#isEnding = isMeant;
    for (const held of this.#staying) this.#endIfMeant(held);
  }

  #endIfMeant(held: Held): void {
    if (this.#isEnding(held.spec.onShutdown ?? 'wait')) obey(held, { stop: cancelled('shutdown') });
  }

  /** Anything that waits and may run here, as long as there is room. Also looks at what is held, so that neither sees the other halfway. */
  async #fetchAll(): Promise<void> {
    if (this.#options.contactFor() === 0) return;
    if (this.#isInDoubt) await this.#check();
    for (let most = FEW; ; most = Math.min(most * 2, MANY)) {
      const room = this.#options.slots - this.busy;
      if (!this.#takes || room <= 0) return;
      const name = await this.#offers.next();
      if (name === undefined) return;
      try {
        await this.#fetchFrom(name, Math.min(room, most));
      } catch (error) {
        this.#offers.add(name);
        if (error instanceof LeftToOthers) return;
        // It may hold what it was not told of.
        this.#isInDoubt = true;
        throw error;
      }
    }
  }

  async #fetchFrom(name: string, most: number): Promise<void> {
    const { database, queue, node, clock } = this.#options;
    const asked = clock.monotonic();
    const taken = await database.transaction(async (tx) => {
      const rows = await queue.take(tx, name, most);
      if (!this.#takes) throw new LeftToOthers();
      if (rows.length > 0) await recordTaken(tx, rows, { queue: name, node: node.id });
      return rows;
    });
    if (taken.length === most) this.#offers.add(name);
    this.#beginAll(
      taken.map(({ id, tries, spec }) => ({ id, tries, spec, queue: name })),
      asked,
    );
  }

  /** Unless it took so long to hear that it holds them that they may have been given up: then that is looked at first. */
  #beginAll(taken: readonly (Taken & { readonly queue: string })[], asked: Duration): void {
    if (taken.length === 0) return;
    const { silence = PATIENCE.silence, clock, contactFor } = this.#options;
    if (clock.monotonic() - asked > silence / 3 || contactFor() === 0) return this.#doubt();
    for (const each of taken) this.#begin(each);
  }

  #begin({ id, tries, queue, spec }: Taken & { readonly queue: string }): void {
    const began = this.#options.clock.monotonic();
    const held: Held = { id, tries, queue, spec, isGivenUp: false, began };
    this.#attempts.set(id, held);
    held.handle = this.#options.executor.start(spec, (report) => this.#take(held, report));
    this.#endIfMeant(held);
  }

  #take(held: Held, report: AttemptReport): void {
    if (report.kind === 'started') this.#reporter.started(held, report);
    else this.#ended(held, report.outcome);
  }

  #ended(held: Held, outcome: Outcome, ranFor = this.#lengthOf(held)): void {
    held.outcome = outcome;
    held.ranFor = ranFor;
    this.#reporter.ended(held);
    if (this.#takes && !this.#offers.isEmpty) this.#fetch.ask();
    this.#tellLess();
  }

  #lengthOf({ began }: Held): Duration | undefined {
    return began === undefined ? undefined : Math.max(this.#options.clock.monotonic() - began, 0);
  }

  /** Its end is recorded, or comes too late. */
  #over(held: Held, counts: boolean): void {
    this.#attempts.delete(held.id);
    this.#settled?.add(held.id);
    if (counts) this.#options.onEnded(held.spec);
    else if (!held.isGivenUp) this.#options.onRefused(held.spec, TOO_LATE);
    this.#tellLess();
  }

  #tellLess(): void {
    for (const resolve of this.#whenLess.splice(0)) resolve();
  }

  async #recover({ id, tries, queue: name, data, started, order }: Holding): Promise<void> {
    const { queue, executor, node, clock } = this.#options;
    const spec = queue.specOf(data);
    const held: Held = { id, tries, queue: name, spec, isGivenUp: false, hasStarted: started !== null };
    const asked = order?.stop ?? order?.kill;
    const found = await executor.recover(spec, { ...started, asked });
    this.#attempts.set(id, held);
    if (found.kind === 'running') held.began = clock.monotonic() - found.ranFor;
    if (found.kind === 'running' || found.kind === 'queued') {
      held.handle = found.follow((report) => this.#take(held, report));
      if (found.kind === 'running' && started === null) this.#reporter.started(held, found);
      obey(held, order);
    } else if (found.kind === 'ended') this.#ended(held, found.outcome, found.ranFor);
    else {
      held.hasStarted = true; // which it did not: nothing is to be told of it
      this.#ended(held, { kind: 'lost', message: `node ${node.name} ended before it could begin it` });
    }
  }

  /** What was given up while this node was away may still run here. */
  async #endGivenUp(): Promise<void> {
    const { database, queue, executor, node, onRefused } = this.#options;
    const given = await givenUp(database, node.id);
    for (const { data, started } of given) {
      const spec = queue.specOf(data);
      const found = await executor.recover(spec, started ?? {});
      if (found.kind !== 'running') continue;
      onRefused(spec, GIVEN_UP);
      found.follow(() => undefined).stop(cancelled('replaced'));
    }
    if (given.length > 0)
      await forgetGivenUp(
        database,
        given.map(({ id }) => id),
      );
  }

  /** Looks at what it holds: what it runs and does not hold it ends, what it holds and never began it begins. */
  async #check(): Promise<void> {
    const { database, queue, node, clock } = this.#options;
    const asked = clock.monotonic();
    this.#settled = new Set();
    const running = [...this.#attempts.values()];
    try {
      const rows = await holdings(database, queue, node.id);
      const mine = new Map(rows.map((row) => [row.id, row]));
      for (const held of running) {
        const row = mine.get(held.id);
        if (held.outcome !== undefined) continue;
        if (row === undefined) this.#endRefused(held);
        else obey(held, row.order);
      }
      this.#isInDoubt = false;
      this.#lastCheck = clock.monotonic();
      const unknown = rows.filter(({ id }) => !this.#attempts.has(id) && this.#settled?.has(id) !== true);
      this.#beginAll(
        unknown.map(({ id, tries, queue: name, data }) => ({
          id,
          tries,
          queue: name,
          spec: queue.specOf(data),
        })),
        asked,
      );
      const ended = running.filter(({ isGivenUp }) => isGivenUp).map(({ id }) => id);
      if (ended.length > 0) await forgetGivenUp(database, ended);
    } finally {
      this.#settled = undefined;
    }
  }

  #endRefused(held: Held): void {
    if (held.isGivenUp) return;
    held.isGivenUp = true;
    this.#options.onRefused(held.spec, GIVEN_UP);
    // Nobody will read this reason.
    obey(held, { stop: cancelled('replaced') });
  }

  #doubt(): void {
    if (this.#isClosed) return;
    this.#isInDoubt = true;
    this.#fetch.ask();
  }

  #hear(attempt: string): void {
    this.#heard.add(attempt);
    this.#orders.ask();
  }

  async #obeyHeard(): Promise<void> {
    // What is just being taken is known by then.
    await this.#fetch.settled();
    const heard = [...this.#heard];
    this.#heard.clear();
    const meant = heard.filter(
      (id) => this.#attempts.get(id)?.outcome === undefined && this.#attempts.has(id),
    );
    if (meant.length === 0) return;
    try {
      const orders = await ordersFor(this.#options.database, meant);
      for (const [id, order] of orders) {
        const held = this.#attempts.get(id);
        if (held !== undefined) obey(held, order);
      }
    } catch (error) {
      for (const id of meant) this.#heard.add(id);
      throw error;
    }
  }

  /** After a gap, of whatever kind, others may have given up what runs here. */
  #tick(): void {
    this.#callOff = this.#options.clock.after(TICK, () => this.#tick());
    const { clock, contactFor, silence = PATIENCE.silence } = this.#options;
    const now = clock.monotonic();
    const contact = contactFor();
    const wasGap = contact < this.#lastContact || now - this.#lastTick > silence / 3 + TICK;
    this.#lastTick = now;
    this.#lastContact = contact;
    const isDue = this.#attempts.size > 0 && now - this.#lastCheck >= CHECK;
    if (wasGap || isDue || this.#isInDoubt) this.#doubt();
  }
}

/** It was asked to take nothing new while it was taking some. */
class LeftToOthers extends Error {}
const GIVEN_UP = 'it was given up while this node was not heard of; what runs of it here is ended';
const TOO_LATE = 'it was given up while this node was not heard of; how it ended here does not count';

function cancelled(by: CancelledBy): StopReason {
  return { kind: 'cancelled', by };
}
