/**
 * Delivers messages, each until its receiver has taken it. Receivers do not wait for one another; to each, messages go one after
 * another in their order, and a receiver that fails is tried again ever more rarely.
 */
import type { Clock, EngineEvent } from '../engine/ports.ts';
import type { Message } from '../message.ts';
import type { Duration } from '../model.ts';
import type { Delivery, Send } from './sender.ts';

export interface DelivererOptions {
  readonly clock: Clock;
  readonly send: Send;
  /** The messages need not be kept any longer. Resolves when that is recorded; never rejects. */
  readonly settle: (ids: readonly string[]) => Promise<void>;
  readonly emit: (event: EngineEvent) => void;
}

const FIRST_DELAY: Duration = 1000;
const LONGEST_DELAY: Duration = 600_000;
/** News of yesterday is none. */
const LIFE: Duration = 86_400_000;
/** What a check hears too late it would take for news. */
const LIFE_OF_PING: Duration = 3_600_000;
/** Deliveries at once. */
const MOST_AT_ONCE = 16;
/** Messages waiting for one receiver. */
const MOST_WAITING = 10_000;
/** How long the end waits for what is under way. */
const LAST_PATIENCE: Duration = 3000;

interface Lane {
  readonly key: string;
  /** As people know the receiver. */
  readonly name: string;
  /** The first may be under way. */
  waiting: Message[];
  tries: number;
  reason: string;
  underWay: boolean;
  callOff: (() => void) | undefined;
}

export class Deliverer {
  readonly #options: DelivererOptions;
  readonly #lanes = new Map<string, Lane>();
  /** Those that could go on if there were a place. */
  #inLine: Lane[] = [];
  #underWay = 0;
  #closed = false;
  #quiet: () => void = () => undefined;

  constructor(options: DelivererOptions) {
    this.#options = options;
  }

  /** Takes messages over; those of one receiver in the order of their decision. */
  take(messages: readonly Message[]): void {
    for (const message of messages) {
      const lane = this.#lane(message);
      if (isStart(message) && lane.tries > 0) continue;
      if (message.kind === 'ping' && !isStart(message)) this.#supersede(lane);
      if (lane.waiting.length >= MOST_WAITING) this.#drop(lane, 1, `more than ${MOST_WAITING} messages wait`);
      lane.waiting.push(message);
      this.#go(lane);
    }
  }

  /** Nothing more is sent. Waits a moment for what is under way; what is not acknowledged by then, the next daemon sends. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { callOff } of this.#lanes.values()) callOff?.();
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => {
      const callOff = this.#options.clock.after(LAST_PATIENCE, resolve);
      this.#quiet = () => {
        callOff();
        resolve();
      };
    });
  }

  #lane(message: Message): Lane {
    const name = message.kind === 'ping' ? `the check of ${message.jobId}` : message.to;
    const key = `${message.kind} ${name}`;
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    const lane = { key, name, waiting: [], tries: 0, reason: '', underWay: false, callOff: undefined };
    this.#lanes.set(key, lane);
    return lane;
  }

  /** A check wants to know how its job is, not how it was; only the start of the same run is still to go first. */
  #supersede(lane: Lane): void {
    const kept = lane.underWay ? 1 : 0;
    const old = lane.waiting.slice(kept).filter((message) => !isStart(message) || lane.tries > 0);
    if (old.length === 0) return;
    lane.waiting = lane.waiting.filter((message) => !old.includes(message));
    void this.#settle(old);
  }

  #go(lane: Lane): void {
    if (this.#closed || lane.underWay || lane.callOff !== undefined || lane.waiting.length === 0) return;
    if (this.#underWay < MOST_AT_ONCE) void this.#deliver(lane);
    else if (!this.#inLine.includes(lane)) this.#inLine.push(lane);
  }

  async #deliver(lane: Lane): Promise<void> {
    const [message] = lane.waiting;
    if (message === undefined) return;
    lane.underWay = true;
    this.#underWay += 1;
    const delivery = await this.#options.send(message);
    lane.underWay = false;
    this.#underWay -= 1;
    this.#ended(lane, message, delivery);
    if (this.#closed && this.#underWay === 0) this.#quiet();
    const next = this.#inLine.shift();
    if (next !== undefined) this.#go(next);
    this.#go(lane);
    if (lane.waiting.length === 0) this.#lanes.delete(lane.key);
  }

  #ended(lane: Lane, message: Message, delivery: Delivery): void {
    if (delivery.kind === 'delivered') {
      lane.waiting.shift();
      lane.tries = 0;
      lane.reason = '';
      void this.#delivered(lane, message, delivery.note);
      return;
    }
    if (isStart(message)) lane.waiting.shift();
    else if (delivery.final) this.#drop(lane, 1, delivery.message);
    else this.#again(lane, delivery.message);
  }

  /** Said when it is recorded: from then on it is not repeated. */
  async #delivered({ name }: Lane, message: Message, note: string | undefined): Promise<void> {
    const { emit, clock } = this.#options;
    const { jobId, at } = message;
    const after = Math.max(clock.now() - at, 0);
    await this.#settle([message]);
    if (isStart(message)) return;
    const known = note === undefined ? {} : { note };
    emit({ kind: 'message_delivered', to: name, jobId, notice: noticeOf(message), after, ...known });
  }

  #again(lane: Lane, message: string): void {
    const { emit, clock } = this.#options;
    const now = clock.now();
    const old = lane.waiting.findIndex((each) => now - each.at < lifeOf(each));
    this.#drop(lane, old === -1 ? lane.waiting.length : old, `${message}; given up, it is too old now`);
    const again = Math.min(FIRST_DELAY * 2 ** Math.min(lane.tries, 20), LONGEST_DELAY);
    lane.tries += 1;
    if (lane.waiting.length === 0) return;
    if (lane.reason !== message) emit({ kind: 'delivery_failed', to: lane.name, message, again });
    lane.reason = message;
    lane.callOff = clock.after(again, () => {
      lane.callOff = undefined;
      this.#go(lane);
    });
  }

  #drop(lane: Lane, count: number, message: string): void {
    const from = lane.underWay ? 1 : 0;
    const dropped = lane.waiting.splice(from, count);
    for (const each of dropped) {
      const { jobId } = each;
      this.#options.emit({ kind: 'message_dropped', to: lane.name, jobId, notice: noticeOf(each), message });
    }
    void this.#settle(dropped);
  }

  /** Starts are not kept by the store. */
  async #settle(messages: readonly Message[]): Promise<void> {
    const ids = messages.filter((message) => !isStart(message)).map(({ id }) => id);
    if (ids.length > 0) await this.#options.settle(ids);
  }
}

function isStart(message: Message): boolean {
  return message.kind === 'ping' && message.run.outcome === undefined;
}

function noticeOf(message: Message) {
  return message.kind === 'ping' ? 'ping' : message.notice;
}

function lifeOf({ kind }: Message): Duration {
  return kind === 'ping' ? LIFE_OF_PING : LIFE;
}
