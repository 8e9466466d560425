/**
 * Delivers messages, each until its receiver has taken it. Receivers do not wait for one another; to each, messages go one after
 * another in their order, and a receiver that fails is tried again ever more rarely.
 */
import type { Clock, EngineEvent } from '../engine/ports.ts';
import type { Message } from '../message.ts';
import type { Duration } from '../model.ts';
import { asOne, crowdDecision } from './digest.ts';
import type { Delivery, Send } from './sender.ts';

export interface DelivererOptions {
  readonly clock: Clock;
  readonly send: Send;
  /** Messages a minute that each come alone to this notifier; 0: any number. */
  readonly digestOf: (notifier: string) => number;
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
  waiting: Message[];
  /** So many of the first are under way, as one. */
  underWay: number;
  tries: number;
  reason: string;
  /** When it has taken something; of the last minute, and only to notifiers. */
  sentAt: Duration[];
  /** It was held, so that what comes may go together. */
  held: boolean;
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
    const lanes = new Set<Lane>();
    for (const message of messages) {
      const lane = this.#lane(message);
      if (isStart(message) && lane.tries > 0) continue;
      if (message.kind === 'ping' && !isStart(message)) this.#supersede(lane);
      if (lane.waiting.length >= MOST_WAITING) this.#drop(lane, 1, `more than ${MOST_WAITING} messages wait`);
      lane.waiting.push(message);
      lanes.add(lane);
    }
    for (const lane of lanes) this.#go(lane);
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
    const lane: Lane = {
      key,
      name,
      waiting: [],
      underWay: 0,
      tries: 0,
      reason: '',
      sentAt: [],
      held: false,
      callOff: undefined,
    };
    this.#lanes.set(key, lane);
    return lane;
  }

  /** A check wants to know how its job is, not how it was; only the start of the same run is still to go first. */
  #supersede(lane: Lane): void {
    const old = lane.waiting.slice(lane.underWay).filter((message) => !isStart(message) || lane.tries > 0);
    if (old.length === 0) return;
    lane.waiting = lane.waiting.filter((message) => !old.includes(message));
    void this.#settle(old);
  }

  #go(lane: Lane): void {
    if (this.#closed || lane.underWay > 0 || lane.callOff !== undefined || lane.waiting.length === 0) return;
    if (this.#underWay < MOST_AT_ONCE) void this.#deliver(lane);
    else if (!this.#inLine.includes(lane)) this.#inLine.push(lane);
  }

  async #deliver(lane: Lane): Promise<void> {
    const messages = this.#next(lane);
    const message = asOne(messages);
    if (message === undefined) return;
    lane.underWay = messages.length;
    this.#underWay += 1;
    const delivery = await this.#options.send(message);
    lane.underWay = 0;
    this.#underWay -= 1;
    this.#ended(lane, messages, delivery);
    if (this.#closed && this.#underWay === 0) this.#quiet();
    const next = this.#inLine.shift();
    if (next !== undefined) this.#go(next);
    this.#go(lane);
    if (lane.waiting.length === 0 && lane.sentAt.length === 0) this.#lanes.delete(lane.key);
  }

  /** What goes out now. None while they are held for others to come. */
  #next(lane: Lane): readonly Message[] {
    const { waiting, sentAt, held } = lane;
    const [first] = waiting;
    if (first === undefined || first.kind === 'ping') return waiting.slice(0, 1);
    const { clock, digestOf } = this.#options;
    const crowd = { waiting: waiting.length, sentAt, held };
    const decision = crowdDecision(crowd, digestOf(first.to), clock.monotonic());
    if ('take' in decision) return waiting.slice(0, decision.take);
    lane.held = true;
    this.#later(lane, decision.hold);
    return [];
  }

  #later(lane: Lane, delay: Duration): void {
    lane.callOff = this.#options.clock.after(delay, () => {
      lane.callOff = undefined;
      this.#go(lane);
    });
  }

  #ended(lane: Lane, messages: readonly Message[], delivery: Delivery): void {
    if (delivery.kind === 'delivered') {
      lane.waiting.splice(0, messages.length);
      lane.tries = 0;
      lane.reason = '';
      lane.held = false;
      this.#sent(lane, messages);
      void this.#delivered(lane, messages, delivery.note);
      return;
    }
    if (messages.every(isStart)) lane.waiting.splice(0, messages.length);
    else if (delivery.final) this.#drop(lane, messages.length, delivery.message);
    else this.#again(lane, delivery.message);
  }

  #sent(lane: Lane, [message]: readonly Message[]): void {
    if (message?.kind !== 'notice') return;
    const most = this.#options.digestOf(message.to);
    lane.sentAt = most === 0 ? [] : [...lane.sentAt, this.#options.clock.monotonic()].slice(-most);
  }

  /** Said when it is recorded: from then on it is not repeated. */
  async #delivered({ name }: Lane, messages: readonly Message[], note: string | undefined): Promise<void> {
    const { emit, clock } = this.#options;
    const now = clock.now();
    await this.#settle(messages);
    const together = messages.length > 1 ? `${messages.length} messages came as one` : undefined;
    const notes = [together, note].filter((each) => each !== undefined);
    const known = notes.length === 0 ? {} : { note: notes.join('; ') };
    for (const message of messages) {
      if (isStart(message)) continue;
      const { jobId, at } = message;
      const after = Math.max(now - at, 0);
      emit({ kind: 'message_delivered', to: name, jobId, notice: noticeOf(message), after, ...known });
    }
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
    this.#later(lane, again);
  }

  #drop(lane: Lane, count: number, message: string): void {
    const dropped = lane.waiting.splice(lane.underWay, count);
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
