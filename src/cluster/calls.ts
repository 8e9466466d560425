/**
 * Requests from node to node, through the database that all of them reach anyway: no node needs to listen to another, nor to know
 * where it is. A request is a row, its answer is rows in chunks that are removed as they are read; NOTIFY says that there are some.
 */
import { randomUUID } from 'node:crypto';
import {
  NodeUnanswered,
  type NoAnswer,
  type NodeAnswer,
  type NodeCalls,
  type NodeHandler,
  type NodeRequest,
} from '../engine/ports-calls.ts';
import type { Clock } from '../engine/ports.ts';
import type { Duration } from '../model.ts';
import { DatabaseAway, type Database } from '../postgres/database.ts';
import { AskedCall, awayWords, silenceOf } from './calls-asked.ts';
import { ServedCall } from './calls-served.ts';
import { CallTable, type CallRow } from './calls-table.ts';
import { patiently } from './waiting.ts';

/** Under way at once, of those this node asked and of those it answers. What is more waits untaken. */
const MOST_ASKED = 300;
const MOST_SERVED = 500;
/** Longest body of a request. Bytes. */
const LONGEST_BODY = 16 * 1024 * 1024;
/** Between two looks at calls under way, in case a node died or a word of it was lost. */
const LOOK: Duration = 5000;
/** The database may be away for so long before calls under way are given up. */
const PATIENCE: Duration = 10_000;
/** So many looks are between two signs of life of a call; calls without are swept away. */
const TOUCH = 24;
/** Between two sweeps. */
const SWEEP: Duration = 300_000;
/** Before calls are looked for again after the database was away. */
const RETRY: Duration = 1000;

export interface CallsParts {
  readonly database: Database;
  readonly clock: Clock;
  /** Id of this node. */
  readonly node: string;
  /** A mistake of ours. */
  readonly onBug: (error: unknown) => void;
}

/** `start` once, then `request` at any time; `serve` says who answers. */
export class Calls implements NodeCalls {
  readonly #parts: CallsParts;
  readonly #table: CallTable;
  readonly #asked = new Map<string, AskedCall>();
  readonly #served = new Map<string, ServedCall>();
  /** Ended, which the table does not know yet. */
  #ended: string[] = [];
  #ending: Promise<void> | undefined;
  #handler: NodeHandler | undefined;
  #taking: Promise<void> | undefined;
  #takeAgain = false;
  /** Under which calls are taken: another one once it is known which it took. */
  #token = randomUUID();
  #looks = 0;
  #awaySince: Duration | undefined;
  #callOffLook: (() => void) | undefined;
  #callOffSweep: (() => void) | undefined;
  #isClosed = false;

  constructor(parts: CallsParts) {
    this.#parts = parts;
    this.#table = new CallTable(parts.database, parts.node);
  }

  /** @throws DatabaseAway */
  async start(): Promise<void> {
    await this.#table.forgetEarlier();
    await this.#table.listen({
      call: (payload) => this.#hearCall(payload),
      answer: (call) => this.#asked.get(call)?.hear(),
      again: () => this.#again(),
    });
    this.#sweepLater();
  }

  /** Who answers. Until then requests wait, for a while. */
  serve(handler: NodeHandler): void {
    this.#handler = handler;
    this.#take();
  }

  async request(node: string, request: NodeRequest, signal: AbortSignal): Promise<NodeAnswer> {
    if (this.#isClosed) throw unasked('given_up', 'this node is stopping');
    if (signal.aborted) throw unasked('given_up', 'nobody wants the answer');
    if (this.#asked.size >= MOST_ASKED)
      throw unasked('busy', `${MOST_ASKED} requests to other nodes are under way`);
    if ((request.body?.length ?? 0) > LONGEST_BODY)
      throw unasked('busy', `a request to another node has at most ${LONGEST_BODY} bytes`);
    const call = await this.#ask(node, request, signal);
    try {
      const { head, body } = await call.head();
      return { status: head.status, headers: head.headers, body, close: () => call.end() };
    } catch (error) {
      call.end();
      throw error;
    }
  }

  /** Calls under way break off. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#callOffLook?.();
    this.#callOffSweep?.();
    for (const call of this.#asked.values()) call.fail('given_up', 'this node is stopping');
    for (const call of this.#served.values()) call.leave();
    await this.#taking;
    await this.#ending;
  }

  async #ask(node: string, request: NodeRequest, signal: AbortSignal): Promise<AskedCall> {
    const { clock } = this.#parts;
    const id = randomUUID();
    const giveUp = (): void => call.fail('given_up', 'nobody wants the answer');
    const onEnd = (): void => {
      signal.removeEventListener('abort', giveUp);
      this.#end(id);
    };
    const call: AskedCall = new AskedCall({ id, to: node, table: this.#table, clock, onEnd });
    signal.addEventListener('abort', giveUp);
    // Before the other node can answer.
    this.#asked.set(id, call);
    try {
      const isWanted = (): boolean => !signal.aborted && !this.#isClosed;
      const found = await patiently(() => this.#table.ask(id, node, request), { clock, isWanted });
      const silence = silenceOf(found);
      if (silence !== undefined) throw unasked(...silence);
      call.made(found.name ?? node);
      this.#lookLater();
      return call;
    } catch (error) {
      call.end();
      if (error instanceof DatabaseAway)
        throw new NodeUnanswered('away', awayWords(error), { mayBeDone: true });
      throw error;
    }
  }

  #end(id: string): void {
    if (!this.#asked.delete(id)) return;
    this.#ended.push(id);
    this.#ending ??= this.#endAll();
  }

  /** All that came together, in one statement. */
  async #endAll(): Promise<void> {
    await Promise.resolve();
    let ended: string[] = [];
    try {
      while (this.#ended.length > 0) {
        ended = this.#ended;
        this.#ended = [];
        await this.#table.end(ended);
      }
    } catch (error) {
      // Tried again at the next look; should that never come, they are swept.
      this.#ended.push(...ended);
      this.#failed(error);
      this.#lookLater();
    }
    this.#ending = undefined;
  }

  #hearCall(payload: string): void {
    const [node, word, id = '', seq] = payload.split(' ');
    if (node !== this.#parts.node) return;
    if (word === undefined) this.#take();
    else if (word === 'gone') this.#served.get(id)?.leave();
    else this.#served.get(id)?.hearRead(Number(seq));
  }

  /** Words may have been lost. */
  #again(): void {
    this.#take();
    void this.#look();
  }

  #take(): void {
    this.#takeAgain = true;
    this.#taking ??= this.#takeAll();
  }

  async #takeAll(): Promise<void> {
    await Promise.resolve();
    try {
      while (this.#takeAgain && !this.#isClosed) {
        const free = MOST_SERVED - this.#served.size;
        if (this.#handler === undefined || free <= 0) break; // asked again when there is one, or when one ends
        this.#takeAgain = false;
        const rows = await this.#table.take(this.#token, free);
        this.#token = randomUUID();
        for (const row of rows) this.#begin(row, this.#handler);
      }
    } catch (error) {
      this.#failed(error);
      this.#parts.clock.after(RETRY, () => this.#take());
    }
    this.#taking = undefined;
  }

  #begin(row: CallRow, handler: NodeHandler): void {
    const { clock, onBug } = this.#parts;
    const call = new ServedCall({ row, table: this.#table, clock, onBug });
    this.#served.set(row.id, call);
    this.#lookLater();
    void call.run(handler).finally(() => {
      this.#served.delete(row.id);
      if (this.#takeAgain) this.#take();
    });
  }

  #lookLater(): void {
    if (this.#isClosed) return;
    this.#callOffLook ??= this.#parts.clock.after(LOOK, () => {
      this.#callOffLook = undefined;
      void this.#look();
    });
  }

  async #look(): Promise<void> {
    const asked = Array.from(this.#asked.values(), (call) => (call.isMade ? call.id : [])).flat();
    const written = new Map(Array.from(this.#served.values(), ({ id, next }) => [id, next] as const));
    if (asked.length + written.size + this.#ended.length === 0) return;
    this.#looks += 1;
    try {
      const states = await this.#table.states([...asked, ...written.keys()]);
      for (const state of states) {
        const next = written.get(state.id);
        // Of a call to this very node there are both ends here.
        if (next !== undefined) this.#served.get(state.id)?.look(state, next);
        this.#asked.get(state.id)?.look(state);
      }
      if (this.#looks % TOUCH === 0) await this.#table.touch(asked);
      if (this.#ended.length > 0) this.#ending ??= this.#endAll();
      this.#awaySince = undefined;
    } catch (error) {
      this.#failed(error);
      if (error instanceof DatabaseAway) this.#outlast(error);
    }
    this.#lookLater();
  }

  /** Who waits for an answer does not wait for ever. */
  #outlast(error: DatabaseAway): void {
    const now = this.#parts.clock.monotonic();
    this.#awaySince ??= now;
    if (now - this.#awaySince < PATIENCE) return;
    for (const call of this.#asked.values()) call.fail('away', awayWords(error));
    for (const call of this.#served.values()) call.leave();
  }

  #failed(error: unknown): void {
    if (!(error instanceof DatabaseAway)) this.#parts.onBug(error);
  }

  #sweepLater(): void {
    if (this.#isClosed) return;
    this.#callOffSweep = this.#parts.clock.after(SWEEP, () => {
      this.#table
        .sweep()
        .catch((error: unknown) => this.#failed(error))
        .finally(() => this.#sweepLater());
    });
  }
}

function unasked(reason: NoAnswer, message: string): NodeUnanswered {
  return new NodeUnanswered(reason, message, { mayBeDone: false });
}
