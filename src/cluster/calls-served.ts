/** A call, as the node that answers has it. */
import type { NodeHandler, NodeReply } from '../engine/ports-calls.ts';
import type { Clock } from '../engine/ports.ts';
import type { Duration } from '../model.ts';
import { DatabaseAway } from '../postgres/database.ts';
import { silenceOf, WINDOW } from './calls-asked.ts';
import type { CallRow, CallState, CallTable, Head } from './calls-table.ts';
import { News, patiently } from './waiting.ts';

/** Longest chunk. Bytes. */
const CHUNK = 256 * 1024;
/** A stream of small pieces gathers them for so long: many small writes would burden the database. */
const GATHER: Duration = 50;
/** How long a head waits for the first piece, to go along with it. */
const TOGETHER: Duration = 5;

export interface ServedParts {
  readonly row: CallRow;
  readonly table: CallTable;
  readonly clock: Clock;
  /** A mistake of ours. */
  readonly onBug: (error: unknown) => void;
}

export class ServedCall {
  readonly id: string;
  readonly #parts: ServedParts;
  readonly #gone = new AbortController();
  readonly #room = new News();
  /** Of the chunk that is written next. */
  #next = 0;
  /** All before it were read. */
  #read = 0;
  #silent = 0;

  constructor(parts: ServedParts) {
    this.id = parts.row.id;
    this.#parts = parts;
    this.#gone.signal.addEventListener('abort', () => this.#room.tell());
  }

  /** Of the chunk that is written next. */
  get next(): number {
    return this.#next;
  }

  /** The asker has gone, or gave up. */
  leave(): void {
    this.#gone.abort();
  }

  /** The asker has read all before that one. */
  hearRead(seq: number): void {
    if (seq <= this.#read) return;
    this.#read = seq;
    this.#room.tell();
  }

  /** How it is by the table. @param next what `next` was when the table was asked */
  look({ open, unread, other }: CallState, next: number): void {
    this.#silent = silenceOf(other) === undefined ? 0 : this.#silent + 1;
    if (!open || this.#silent >= 2) this.leave();
    else this.hearRead(unread ?? next);
  }

  /** Answers it. Never rejects. */
  async run(handler: NodeHandler): Promise<void> {
    const { row, onBug } = this.#parts;
    try {
      const request = {
        ...row.request,
        from: row.from_node,
        ...(row.body === null ? {} : { body: row.body }),
      };
      const reply = await handler(request, this.#gone.signal);
      try {
        await this.#send(reply);
      } finally {
        await reply.close?.();
      }
    } catch (error) {
      if (error instanceof DatabaseAway || this.#gone.signal.aborted) return;
      onBug(error);
      await this.#put({ head: { status: 500, headers: {}, broken: true }, last: true }).catch(
        () => undefined,
      );
    } finally {
      this.leave();
    }
  }

  async #send({ status, headers, body }: NodeReply): Promise<void> {
    const { clock } = this.#parts;
    const { signal } = this.#gone;
    const outflow = new Outflow(signal);
    void outflow.fill(body);
    let head: Head | undefined = { status, headers };
    let earliest = clock.monotonic() + TOGETHER;
    for (let isOpen = true; isOpen && !signal.aborted;) {
      if (head === undefined) await outflow.some();
      await outflow.much(clock, earliest - clock.monotonic());
      while (this.#next - this.#read >= WINDOW && !signal.aborted) await this.#room.come();
      if (signal.aborted) return;
      earliest = clock.monotonic() + GATHER;
      const chunk = outflow.take(CHUNK);
      const last = outflow.isOver;
      isOpen = (await this.#put({ head, chunk, last })) && !last;
      head = undefined;
    }
  }

  /** False: no more is wanted. */
  async #put({
    head,
    chunk,
    last,
  }: {
    head: Head | undefined;
    chunk?: Uint8Array;
    last: boolean;
  }): Promise<boolean> {
    const { table, clock } = this.#parts;
    const row = {
      seq: this.#next,
      head: head ?? null,
      chunk: chunk === undefined ? null : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength),
      last,
    };
    this.#next += 1;
    return patiently(() => table.answer(this.id, row), {
      clock,
      isWanted: () => !this.#gone.signal.aborted,
    });
  }
}

/** What a body has given and nobody has taken yet. */
class Outflow {
  readonly #signal: AbortSignal;
  readonly #given = new News();
  readonly #taken = new News();
  #pieces: Uint8Array[] = [];
  #size = 0;
  #isAtEnd = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => {
      this.#given.tell();
      this.#taken.tell();
    });
  }

  /** All was taken, and nothing failed. */
  get isOver(): boolean {
    return this.#isAtEnd && this.#size === 0 && this.#failure === undefined;
  }

  async fill(body: NodeReply['body']): Promise<void> {
    try {
      for await (const piece of body instanceof Uint8Array ? [body] : body) {
        this.#pieces.push(piece);
        this.#size += piece.length;
        this.#given.tell();
        while (this.#size >= CHUNK && !this.#signal.aborted) await this.#taken.come();
        if (this.#signal.aborted) return;
      }
    } catch (error) {
      this.#failure = { error };
    }
    this.#isAtEnd = true;
    this.#given.tell();
  }

  /** Waits until there is something to send. */
  async some(): Promise<void> {
    while (this.#size === 0 && !this.#isAtEnd && !this.#signal.aborted) await this.#given.come();
  }

  /** Waits until there is a whole chunk, or it has waited so long. */
  async much(clock: Clock, longest: Duration): Promise<void> {
    if (longest <= 0) return;
    const timer = { isDue: false };
    const callOff = clock.after(longest, () => {
      timer.isDue = true;
      this.#given.tell();
    });
    while (this.#size < CHUNK && !this.#isAtEnd && !timer.isDue && !this.#signal.aborted)
      await this.#given.come();
    callOff();
  }

  /** @throws what the body failed with, once all before that was taken */
  take(most: number): Uint8Array {
    if (this.#size === 0 && this.#failure !== undefined) throw this.#failure.error;
    const taken: Uint8Array[] = [];
    for (let left = most; left > 0;) {
      const piece = this.#pieces[0];
      if (piece === undefined) break;
      const part = piece.subarray(0, left);
      if (part.length === piece.length) this.#pieces.shift();
      else this.#pieces[0] = piece.subarray(part.length);
      taken.push(part);
      left -= part.length;
      this.#size -= part.length;
    }
    this.#taken.tell();
    const [only, ...others] = taken;
    return only !== undefined && others.length === 0 ? only : Buffer.concat(taken);
  }
}
