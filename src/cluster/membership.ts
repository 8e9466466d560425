/**
 * A node's life in the cluster: it beats, hears of the others, and conducts for a term when it is its turn. What is to happen is
 * decided in lease.ts; this is the loop that does it.
 */
import type { Away, NodeView } from '../engine/ports-cluster.ts';
import type { Clock } from '../engine/ports.ts';
import type { Duration, Instant, Json } from '../model.ts';
import { DatabaseAway, type Database } from '../postgres/database.ts';
import { beat, giveBack, leave, takeOver, type Heard, type NodeFacts } from './beat.ts';
import { ClockWatch } from './clock-watch.ts';
import { join, NodeRefused, type Joining } from './joining.ts';
import {
  AT_ONCE,
  BEAT,
  decide,
  GAP,
  LATE,
  LEASE,
  nextBeat,
  TRUST,
  WHY_TAKEN,
  type Decision,
} from './lease.ts';
import type { Membership, Term } from './member.ts';
import { nodeIdOf, sessionKeyOf } from './node-id.ts';
import { conductorOf, nodeViews } from './node-view.ts';
import { roundTrip } from './skew.ts';

export interface MembershipOptions extends Omit<NodeFacts, 'id'> {
  readonly database: Database;
  readonly clock: Clock;
  /** Where the node's id is kept. */
  readonly nodeIdFile: string;
  /** How many attempts it has now. */
  readonly busy: () => number;
  /** What else others are told of it; `lacks`: module files that it has not. */
  readonly document: () => Json;
  /** Queues have something ready, as of a beat. */
  readonly onReady: (queues: readonly string[]) => void;
  /** Somebody wants it to take nothing new, or to take again. Also once at the start, where it was drained before. */
  readonly onWish: (drain: boolean) => void;
  /** The database is away, or (undefined) is back. */
  readonly onAway: (away: Away | undefined) => void;
  readonly log: {
    write(level: 'debug' | 'info' | 'notice' | 'warning' | 'error', message: string): void;
  };
}

export { NodeRefused } from './joining.ts';
export type { Membership, Term } from './member.ts';

/** @throws Error with `code` when the id can be neither read nor made */
export function createMembership(options: MembershipOptions): Membership {
  return new Node(options);
}

class Node implements Membership {
  readonly node: { readonly id: string; readonly name: string };
  readonly #options: MembershipOptions;
  readonly #joining: Joining;
  readonly #watch: ClockWatch;
  #joinedAt: Instant = 0;
  #term: (Term & { readonly trustedUntil: Duration }) | undefined;
  #tell: (term: Term | undefined) => void = () => undefined;
  #heard: (Heard & { readonly at: Duration }) | undefined;
  #contact: { readonly since: Duration; readonly last: Duration } | undefined;
  /** Where the queue has its tables, once they are there. */
  #queue: string | null = null;
  #isAway = false;
  /** It was told so: another has the place of this node. */
  #hasLostPlace = false;
  /** When the database last answered. */
  #answeredAt: Instant;
  /** The row of this id is not, or no longer, this process's: it neither beats for it nor takes it away. */
  #isRefused = true;
  #isRenamed = false;
  #drains = { own: false, wished: false };
  #resignedUntil: Duration = Number.NEGATIVE_INFINITY;
  #closing: Promise<void> | undefined;
  #beating: Promise<void> | undefined;
  #isAgain = false;
  #callOff: (() => void) | undefined;
  #callOffTrust: (() => void) | undefined;

  constructor(options: MembershipOptions) {
    this.#options = options;
    const { name, schedules, labels, slots, host, pid, version, startedAt } = options;
    const id = nodeIdOf(options.nodeIdFile);
    this.node = { id, name };
    const facts = { id, name, schedules, labels, slots, host, pid, version, startedAt };
    this.#joining = { ...options, facts };
    this.#answeredAt = options.clock.now();
    this.#watch = new ClockWatch((level, message) => this.#log(level, message));
  }

  async start(): Promise<void> {
    const { database } = this.#options;
    this.#joinedAt = await join(this.#joining);
    this.#isRefused = false;
    await database.listen(
      `${database.schema}_nodes`,
      (about) => {
        if (about === '' || about === this.node.id) this.beatNow();
      },
      () => this.beatNow(),
    );
    await this.#beat();
  }

  get term(): number | undefined {
    const term = this.#term;
    return term !== undefined && this.#options.clock.monotonic() < term.trustedUntil
      ? term.number
      : undefined;
  }

  onTerm(change: (term: Term | undefined) => void): void {
    this.#tell = change;
  }

  nodes(): readonly NodeView[] {
    const heard = this.#heard;
    return heard === undefined ? [] : nodeViews(heard, this.#options.clock.monotonic() - heard.at);
  }

  get conductor(): string | undefined {
    const heard = this.#heard;
    return heard && conductorOf(heard, this.#options.clock.monotonic() - heard.at);
  }

  get lastTerm(): number {
    return this.#heard?.term ?? 0;
  }

  get fileVersion(): number | undefined {
    return this.#heard?.fileVersion ?? undefined;
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  get contactFor(): Duration {
    const contact = this.#contact;
    if (contact === undefined) return 0;
    const now = this.#options.clock.monotonic();
    return now - contact.last > GAP ? 0 : now - contact.since;
  }

  get skew(): Duration {
    return this.#watch.skew;
  }

  drain(on: boolean): void {
    this.#drains.own = on;
    this.beatNow();
  }

  async resign(pause: Duration = Number.POSITIVE_INFINITY): Promise<void> {
    const { database, clock } = this.#options;
    const { term } = this;
    this.#resignedUntil = Math.max(this.#resignedUntil, clock.monotonic() + pause);
    this.#stopConducting();
    if (term !== undefined)
      await giveBack(database, this.node.id, term).catch((error: unknown) => this.#failed(error));
  }

  get #isLeaving(): boolean {
    return this.#options.clock.monotonic() < this.#resignedUntil || this.#closing !== undefined;
  }

  beatNow(): void {
    if (this.#beating === undefined) this.#schedule(AT_ONCE);
    else this.#isAgain = true;
  }

  close(): Promise<void> {
    this.#closing ??= this.#leave();
    return this.#closing;
  }

  async #leave(): Promise<void> {
    const { database } = this.#options;
    this.#callOff?.();
    this.#stopConducting();
    await this.#beating;
    try {
      if (!this.#isRefused) await leave(database, this.node.id);
      await database.release(sessionKeyOf(this.node.id));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#log('warning', `${message}; other nodes take this one for silent until it is back`);
    }
  }

  #schedule(delay: Duration): void {
    if (this.#closing !== undefined || this.#joinedAt === 0) return;
    this.#callOff?.();
    this.#callOff = this.#options.clock.after(delay, () => void this.#beat());
  }

  #beat(): Promise<void> {
    this.#callOff?.();
    this.#isAgain = false;
    this.#beating ??= this.#beatOnce()
      .catch((error: unknown) => this.#failed(error))
      .then((delay) => {
        this.#beating = undefined;
        this.#schedule(this.#isAgain ? AT_ONCE : delay);
      });
    return this.#beating;
  }

  /** Gives when to beat next. */
  async #beatOnce(): Promise<Duration> {
    const { database, clock, busy, document } = this.#options;
    if (this.#isRefused) this.#joinedAt = await join(this.#joining);
    this.#isRefused = false;
    // The timer may come after this, and does in a process that was frozen.
    if (this.term === undefined) this.#lapse();
    const began = clock.monotonic();
    const state = this.#drains.own || this.#drains.wished ? 'draining' : 'up';
    const said = {
      id: this.node.id,
      state,
      busy: busy(),
      skew: Math.round(this.skew),
      document: document(),
    } as const;
    // Whatever else is asked of the database here: who conducts loses the term by a beat that comes late.
    const heard = await beat(database.urgent, said, this.#queue);
    this.#queue = heard.queue;
    const took = clock.monotonic() - began;
    this.#watch.measure(roundTrip(clock.now(), took, heard.now));
    if (!heard.known) {
      // It was silent for so long that it was forgotten.
      this.#stopConducting();
      this.#isRefused = true;
      return 0;
    }
    const nodes = heard.nodes.map((node) => (node.id === said.id ? { ...node, ...said, ago: 0 } : node));
    this.#heard = { ...heard, nodes, at: clock.monotonic() };
    this.#touched();
    this.#named(nodes.find(({ id }) => id === said.id)?.name ?? this.node.name);
    this.#wished(heard.wish === 'drain');
    const delay = await this.#act(heard, began);
    if (heard.ready.length > 0) this.#options.onReady(heard.ready);
    return delay;
  }

  async #act(heard: Heard, began: Duration): Promise<Duration> {
    const { database } = this.#options;
    const { id } = this.node;
    const node = heard.conductor === null ? undefined : heard.conductor === id ? 'this' : 'other';
    const decision = decide({
      schedules: this.#options.schedules,
      isSkewed: this.#watch.isTooFar,
      isLeaving: this.#isLeaving,
      ownTerm: this.term,
      conductor: { term: heard.term, node, beatAgo: heard.conductorAgo },
    });
    switch (decision.kind) {
      case 'keep':
        this.#trust(began);
        await this.#holdTerm(heard.term);
        break;
      case 'step_down': {
        this.#stopConducting();
        if (decision.reason === 'deposed') this.#log('warning', 'another node conducts now');
        else await giveBack(database, id, heard.term);
        break;
      }
      case 'take_over':
        // One that took long has little trust left.
        if (await this.#takeOver(heard.term, decision))
          return this.#options.clock.monotonic() - began < BEAT ? BEAT : 0;
        break;
      case 'wait':
        // It stepped down without being able to say so.
        if (node === 'this') await giveBack(database, id, heard.term);
        break;
    }
    return nextBeat(decision, heard.conductorAgo);
  }

  async #takeOver(term: number, decision: Decision & { readonly kind: 'take_over' }): Promise<boolean> {
    const { database, clock } = this.#options;
    if (decision.ifDead && !(await database.hold(term))) return false;
    const began = clock.monotonic();
    const taken = await takeOver(database.urgent, {
      id: this.node.id,
      term,
      unheard: decision.ifDead ? LATE : LEASE,
      joinedAt: this.#joinedAt,
    });
    await database.release(term);
    if (taken === undefined) return false;
    await this.#holdTerm(taken.number);
    // The next beat, or the leaving, gives it back.
    if (this.#isLeaving) return false;
    this.#log('notice', `this node conducts, for term ${taken.number}: ${WHY_TAKEN[decision.reason]}`);
    this.#term = { ...taken, trustedUntil: 0 };
    if (this.#heard !== undefined)
      this.#heard = { ...this.#heard, term: taken.number, conductor: this.node.id, conductorAgo: 0 };
    this.#trust(began);
    if (this.term !== undefined) this.#tell(taken);
    return true;
  }

  /** As long as its session lives, nobody takes it for dead. Where that fails, the lease alone is enough; it is tried with each beat. */
  async #holdTerm(term: number): Promise<void> {
    await this.#options.database.hold(term).catch((error: unknown) => {
      if (!(error instanceof DatabaseAway)) throw error;
    });
  }

  /** Until then it conducts, whatever happens; then it stops, unless it beat again. */
  #trust(began: Duration): void {
    const { clock } = this.#options;
    const term = this.#term;
    if (term === undefined) return;
    const trustedUntil = began + TRUST;
    this.#term = { ...term, trustedUntil };
    this.#callOffTrust?.();
    this.#callOffTrust = clock.after(trustedUntil - clock.monotonic(), () => this.#lapse());
  }

  #lapse(): void {
    if (this.#term === undefined) return;
    this.#log('warning', `this node stops conducting: the database has not answered for ${TRUST / 1000} s`);
    this.#stopConducting();
  }

  #stopConducting(): void {
    const term = this.#term;
    if (term === undefined) return;
    this.#term = undefined;
    this.#callOffTrust?.();
    this.#tell(undefined);
    this.#options.database.release(term.number).catch((error: unknown) => this.#failed(error));
  }

  #touched(): void {
    const contact = this.#contact;
    const last = this.#options.clock.monotonic();
    const isNew = contact === undefined || last - contact.last > GAP;
    this.#contact = { since: isNew ? last : contact.since, last };
    this.#answeredAt = this.#options.clock.now();
    if (this.#hasLostPlace) this.#log('notice', 'this node has its place again');
    this.#hasLostPlace = false;
    this.#answers();
  }

  #answers(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#log('notice', 'the database answers again');
    this.#options.onAway(undefined);
  }

  #wished(drain: boolean): void {
    if (drain === this.#drains.wished) return;
    this.#drains.wished = drain;
    this.#log('notice', drain ? 'this node is drained: it takes nothing new' : 'this node takes again');
    this.#options.onWish(drain);
    // Others hear of it with the next beat.
    this.#isAgain = true;
  }

  /** While it was silent, another may have come by its name. */
  #named(name: string): void {
    if (name !== this.node.name && !this.#isRenamed)
      this.#log('warning', `another node is called ${this.node.name} by now; this one is listed as ${name}`);
    this.#isRenamed = name !== this.node.name;
  }

  /** Gives when to try again. */
  #failed(error: unknown): Duration {
    this.#contact = undefined;
    this.#queue = null; // it may be gone
    if (error instanceof NodeRefused) {
      this.#answers();
      if (!this.#hasLostPlace)
        this.#log('error', `this node has lost its place: ${error.message}; ${error.hint}`);
      this.#hasLostPlace = true;
    } else if (!this.#isAway) {
      this.#isAway = true;
      const message = error instanceof Error ? error.message : String(error);
      this.#log('warning', `${message}; it is tried again every ${BEAT / 1000} s`);
      this.#options.onAway({ since: this.#answeredAt, message });
    }
    return BEAT;
  }

  #log(level: 'notice' | 'warning' | 'error', message: string): void {
    this.#options.log.write(level, message);
  }
}
