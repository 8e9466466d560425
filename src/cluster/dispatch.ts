/**
 * How the node that conducts has attempts run: it gives them to the queue, from which nodes take them, and hears in reports what became of
 * them. All it writes is written for its term: once another node conducts, nothing of it counts any more.
 */
import type {
  AttemptHandle,
  AttemptReport,
  AttemptSpec,
  Clock,
  Executor,
  Recovery,
} from '../engine/ports.ts';
import type { Duration, JobDefinition } from '../model.ts';
import { StatementRefused, type Database, type Queryable } from '../postgres/database.ts';
import { Errand } from './errand.ts';
import { Deposed, fenced } from '../postgres/fence.ts';
import { attemptId } from './ids.ts';
import { Lookout, type Patience } from './lookout.ts';
import type { Queue } from './queue.ts';
import { outcomeOf, stateOf, type Flight, type Hear } from './flight.ts';
import { find, recordEnds, recordOrders, reportsOf, takeReports, type Found, type Order } from './records.ts';
import { declareQueues, grouped, knowQueues, requirementOf } from './requirement.ts';

export interface DispatchOptions extends Partial<Patience> {
  readonly database: Database;
  readonly queue: Queue;
  readonly clock: Clock;
  /** Its number: what it writes is refused once another one has begun. */
  readonly term: number;
  /** How long this node has had the database without a gap. */
  readonly contactFor: () => Duration;
  /** Another node conducts. Called once; nothing is done or reported after. */
  readonly onDeposed: () => void;
  readonly onTrouble: (message: string) => void;
}

interface Asked {
  readonly flight: Flight;
  readonly answer: (recovery: Recovery) => void;
}

/** In one transaction; reports that come in one turn of the loop. */
const MOST = 500;
/** Between two looks at reports: what comes within it costs no more than one. Milliseconds. */
const GAP: Duration = 10;

export class Dispatch implements Executor {
  readonly reportsStart = true;
  readonly #options: DispatchOptions;
  readonly #flights = new Map<string, Flight>();
  #pending: Flight[] = [];
  #asked: Asked[] = [];
  readonly #ordered = new Set<Flight>();
  /** Queues of which everybody knows. */
  readonly #known = new Set<string>();
  #declared: readonly JobDefinition[] | undefined;
  /** What was taken may not have arrived. */
  #isInDoubt = false;
  /** Some of what is just being put into the queue may be there already. */
  #isPuttingAgain = false;
  #isOver = false;
  readonly #send: Errand;
  readonly #take: Errand;
  readonly #find: Errand;
  readonly #order: Errand;
  readonly #declare: Errand;
  readonly #lookout: Lookout;
  #stopListening: (() => void) | undefined;

  constructor(options: DispatchOptions) {
    this.#options = options;
    const { clock, onTrouble } = options;
    const errand = (work: () => Promise<void>, gap = 0): Errand =>
      new Errand({ clock, onTrouble, gap, run: () => this.#whileInOffice(work) });
    this.#send = errand(() => this.#sendPending());
    this.#take = errand(() => this.#takeReports(), GAP);
    this.#find = errand(() => this.#findAsked());
    this.#order = errand(() => this.#sendOrders());
    this.#declare = errand(() => this.#declareQueues());
    this.#lookout = new Lookout({
      ...options,
      isNeeded: () => this.#flights.size > 0,
      isInDoubt: () => this.#isPuttingAgain || this.#pending.some(({ isTried }) => isTried),
      whileInOffice: (work) => this.#whileInOffice(work),
    });
    void this.#listen();
  }

  start(spec: AttemptSpec, report: Hear): AttemptHandle {
    const flight = this.#begin(spec, report);
    this.#pending.push(flight);
    if (!this.#isOver) this.#send.ask();
    return this.#handle(flight);
  }

  recover(spec: AttemptSpec): Promise<Recovery> {
    // From now on, so that no report is missed that comes while it is looked for.
    const flight = this.#begin(spec, undefined);
    return new Promise((answer) => {
      this.#asked.push({ flight, answer });
      if (this.#isOver) this.#answerNobody();
      else this.#find.ask();
    });
  }

  /** What the loaded jobs require of nodes: these see what they lack before an attempt waits for it. */
  declare(jobs: readonly JobDefinition[]): void {
    this.#declared = jobs;
    this.#declare.ask();
  }

  /** Attempts go on; whoever conducts next takes them up. */
  async close(): Promise<void> {
    this.#end();
    await Promise.all(this.#errands.map((each) => each.settled()));
  }

  async #listen(): Promise<void> {
    const { database } = this.#options;
    this.#stopListening = await database.listen(
      `${database.schema}_report`,
      () => this.#take.ask(),
      () => {
        this.#take.ask();
        for (const each of this.#errands) each.hurry();
      },
    );
    if (this.#isOver) this.#stopListening();
  }

  get #errands(): readonly Errand[] {
    return [this.#send, this.#take, this.#find, this.#order, this.#declare];
  }

  #begin(spec: AttemptSpec, hear: Hear | undefined): Flight {
    const id = attemptId(spec);
    const state = { isTried: false, isSent: false, hasStarted: false, early: [], order: {} };
    const flight: Flight = { id, spec, requirement: requirementOf(spec), hear, ...state };
    this.#flights.set(id, flight);
    return flight;
  }

  #end(): void {
    this.#isOver = true;
    this.#lookout.close();
    // Else the connection would keep it, and with it all that its engine knew.
    this.#stopListening?.();
    for (const each of this.#errands) each.close();
    this.#answerNobody();
  }

  /** Who asks has been left by its engine: that nothing more is heard of it is all it may be told. */
  #answerNobody(): void {
    const follow = (): AttemptHandle => ({ stop: nothing, kill: nothing });
    for (const { answer } of this.#asked.splice(0)) answer({ kind: 'running', ranFor: 0, follow });
  }

  async #whileInOffice(work: () => Promise<void>): Promise<void> {
    try {
      if (!this.#isOver) await work();
    } catch (error) {
      if (!(error instanceof Deposed)) throw error;
      if (this.#isOver) return;
      this.#end();
      this.#options.onDeposed();
    }
  }

  #fenced<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return fenced(this.#options.database, this.#options.term, work);
  }

  #channel(name: string): string {
    return `${this.#options.database.schema}_${name}`;
  }

  async #sendPending(): Promise<void> {
    // One whose end was reported meanwhile had been put there after all: its row may be gone, and would be another.
    const batch = this.#pending.splice(0, MOST).filter((flight) => this.#flights.get(flight.id) === flight);
    if (this.#pending.length > 0) this.#send.ask();
    if (batch.length === 0) return;
    this.#isPuttingAgain = batch.some(({ isTried }) => isTried);
    for (const flight of batch) flight.isTried = true;
    try {
      await this.#enqueueOr(batch);
    } catch (error) {
      this.#pending.unshift(...batch.filter((flight) => !flight.isSent && this.#flights.has(flight.id)));
      throw error;
    } finally {
      this.#isPuttingAgain = false;
    }
    if (this.#ordered.size > 0) this.#order.ask();
  }

  /** Where one of them cannot be stored, the others are all the same. */
  async #enqueueOr(batch: readonly Flight[]): Promise<void> {
    try {
      await this.#enqueue(batch);
    } catch (error) {
      if (!(error instanceof StatementRefused)) throw error;
      const [first] = batch;
      if (batch.length > 1) for (const each of batch) await this.#enqueueOr([each]);
      else if (first !== undefined) {
        const message = `it could not be put into the queue: ${error.message}`;
        this.#deliver(first, { kind: 'ended', outcome: { kind: 'not_started', message } });
      }
    }
  }

  async #enqueue(batch: readonly Flight[]): Promise<void> {
    const { queue } = this.#options;
    const groups = grouped(batch, ({ requirement }) => requirement.name);
    const unknown = [...groups.keys()].filter((name) => !this.#known.has(name));
    await queue.ensure(unknown);
    const were = await this.#fenced(async (tx) => {
      const requirements = unknown.flatMap((name) => groups.get(name)?.[0] ?? []);
      if (unknown.length > 0)
        await knowQueues(
          tx,
          requirements.map(({ spec }) => requirementOf(spec)),
        );
      const there: Flight[] = [];
      for (const [name, flights] of groups) {
        const made = await queue.put(tx, name, flights);
        there.push(...flights.filter(({ id }) => !made.has(id)));
      }
      const names = [...groups.keys()];
      await tx.query('SELECT pg_notify($1, q) FROM unnest($2::text[]) q', [this.#channel('work'), names]);
      return there;
    });
    for (const name of unknown) this.#known.add(name);
    for (const flight of batch) flight.isSent = true;
    // Somebody was here before: this node, whom nobody could tell that it was done.
    for (const flight of were) this.#asked.push({ flight, answer: (found) => this.#goOn(flight, found) });
    if (were.length > 0) this.#find.ask();
  }

  #goOn(flight: Flight, found: Recovery): void {
    if (found.kind !== 'ended') return;
    const { node, outcome, ranFor } = found;
    if (node !== undefined) this.#deliver(flight, { kind: 'started', node });
    this.#deliver(flight, { kind: 'ended', outcome, ranFor });
  }

  async #takeReports(): Promise<void> {
    const wereInDoubt = this.#isInDoubt;
    this.#isInDoubt = true;
    if (wereInDoubt) await this.#readAgain();
    const rows = await this.#fenced((tx) => takeReports(tx, MOST));
    this.#isInDoubt = false;
    for (const { attempt, report } of rows) {
      const flight = this.#flights.get(attempt);
      if (flight !== undefined) this.#deliver(flight, report);
    }
    if (rows.length === MOST) this.#take.ask();
  }

  /** The last try may have taken reports that never arrived here. */
  async #readAgain(): Promise<void> {
    const ids = [...this.#flights.keys()];
    for (let from = 0; from < ids.length; from += MOST) {
      const rows = await reportsOf(this.#options.database, ids.slice(from, from + MOST));
      for (const { attempt, report } of rows) {
        const flight = this.#flights.get(attempt);
        if (flight !== undefined) this.#deliver(flight, report);
      }
    }
  }

  /** A report may come twice, and says something once. */
  #deliver(flight: Flight, report: AttemptReport): void {
    if (this.#isOver || this.#flights.get(flight.id) !== flight) return;
    if (report.kind === 'started') {
      if (flight.hasStarted) return;
      flight.hasStarted = true;
    } else this.#flights.delete(flight.id);
    if (flight.hear === undefined) flight.early.push(report);
    else flight.hear(report);
  }

  async #findAsked(): Promise<void> {
    const asked = this.#asked.slice(0, MOST);
    if (asked.length === 0) return;
    const { database, queue } = this.#options;
    const ids = asked.map(({ flight }) => flight.id);
    const found = await find(database, queue, ids);
    if (this.#isOver) return;
    this.#asked = this.#asked.slice(asked.length);
    if (this.#asked.length > 0) this.#find.ask();
    for (const { flight, answer } of asked) answer(this.#recovery(flight, found.get(flight.id)));
    if (this.#ordered.size > 0) this.#order.ask();
  }

  #recovery(flight: Flight, found: Found | undefined): Recovery {
    const name = found?.queue ?? flight.requirement.name;
    flight.requirement = { name };
    flight.isTried = true;
    flight.isSent = true;
    const state = stateOf(found, this.#options.clock.now());
    // Who was asked in `start` is heard already, and hears of its end by the answer.
    if (state.kind === 'ended' || state.kind === 'never_begun') {
      if (flight.hear === undefined) this.#flights.delete(flight.id);
      return state;
    }
    const follow = (hear: Hear): AttemptHandle => {
      flight.hear = hear;
      for (const report of flight.early.splice(0)) hear(report);
      return this.#handle(flight);
    };
    if (flight.hear === undefined) flight.hasStarted ||= (found?.started ?? undefined) !== undefined;
    return state.kind === 'queued' ? { kind: 'queued', follow } : { ...state, follow };
  }

  #handle(flight: Flight): AttemptHandle {
    const order = (change: Order): void => {
      flight.order = { ...change, ...flight.order };
      this.#obey(flight);
    };
    return {
      stop: (reason) => {
        if (flight.order.stop === undefined && flight.order.kill === undefined) order({ stop: reason });
      },
      kill: (reason) => {
        if (flight.order.kill === undefined) order({ kill: flight.order.stop ?? reason });
      },
    };
  }

  #obey(flight: Flight): void {
    if (this.#isOver || this.#flights.get(flight.id) !== flight) return;
    if (flight.isTried) {
      this.#ordered.add(flight);
      if (flight.isSent) this.#order.ask();
      return;
    }
    this.#pending = this.#pending.filter((each) => each !== flight);
    // Not from within the call that stops it.
    queueMicrotask(() => this.#deliver(flight, { kind: 'ended', outcome: outcomeOf(flight.order) }));
  }

  async #sendOrders(): Promise<void> {
    const batch = [...this.#ordered].filter((flight) => flight.isSent).slice(0, MOST);
    for (const flight of batch) this.#ordered.delete(flight);
    const open = batch.filter((flight) => this.#flights.get(flight.id) === flight);
    if (open.length === 0) return;
    try {
      await this.#fenced((tx) => this.#recordOrders(tx, open));
    } catch (error) {
      for (const flight of open) this.#ordered.add(flight);
      throw error;
    }
    if (this.#ordered.size > 0) this.#order.ask();
  }

  /** Those that nobody has taken end here; of the others, whoever took them has it recorded by then that it holds them. */
  async #recordOrders(tx: Queryable, flights: readonly Flight[]): Promise<void> {
    const withdrawn: Flight[] = [];
    for (const [name, group] of grouped(flights, ({ requirement }) => requirement.name)) {
      const ids = group.map(({ id }) => id);
      const gone = await this.#options.queue.withdraw(tx, name, ids);
      withdrawn.push(...group.filter(({ id }) => gone.has(id)));
    }
    const ends = withdrawn.map(({ id, order }) => ({ attempt: id, outcome: outcomeOf(order) }));
    if (ends.length > 0) await recordEnds(tx, ends, { node: null, channel: this.#channel('report') });
    const held = flights.filter((flight) => !withdrawn.includes(flight));
    const orders = held.map(({ id, order }) => ({ attempt: id, order }));
    if (orders.length > 0) await recordOrders(tx, orders, this.#channel('order'));
  }

  async #declareQueues(): Promise<void> {
    const jobs = this.#declared;
    if (jobs === undefined) return;
    await this.#fenced((tx) => declareQueues(tx, jobs, this.#channel('work')));
  }
}

function nothing(): void {
  // Nobody is there to be asked.
}
