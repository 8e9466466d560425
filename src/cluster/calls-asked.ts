/** A call, as the node that asks has it. */
import { NodeUnanswered, type NoAnswer } from '../engine/ports-calls.ts';
import type { Clock } from '../engine/ports.ts';
import { DatabaseAway } from '../postgres/database.ts';
import {
  SILENCE,
  type AnswerRow,
  type CallState,
  type CallTable,
  type Head,
  type OtherNode,
} from './calls-table.ts';
import { News, patiently } from './waiting.ts';

/** Chunks that may be there unread. */
export const WINDOW = 4;
/** So often in a row a node must be found silent: after an outage of the database everybody seems to be, for a moment. */
const SILENT_TWICE = 2;
/** And so often must a call be found that nobody took. */
const UNTAKEN = 3;

export interface AskedParts {
  readonly id: string;
  /** Id of the node that is asked. */
  readonly to: string;
  readonly table: CallTable;
  readonly clock: Clock;
  /** Nothing more is wanted of it. */
  readonly onEnd: () => void;
}

export class AskedCall {
  readonly id: string;
  readonly #parts: AskedParts;
  readonly #news = new News();
  #name: string | undefined;
  #rows: AnswerRow[] = [];
  /** Of the chunk that comes next. */
  #next = 0;
  #failure: NodeUnanswered | undefined;
  #isOver = false;
  #silent = 0;
  #untaken = 0;

  constructor(parts: AskedParts) {
    this.id = parts.id;
    this.#parts = parts;
  }

  /** It is in the table, and can be looked for there. */
  get isMade(): boolean {
    return this.#name !== undefined;
  }

  /** @param name of the node that is asked */
  made(name: string): void {
    this.#name = name;
  }

  /** There may be more of the answer. */
  hear(): void {
    this.#news.tell();
  }

  fail(reason: NoAnswer, message: string): void {
    this.#failure ??= new NodeUnanswered(reason, message, { mayBeDone: true });
    this.#news.tell();
    this.end();
  }

  /** How it is by the table. */
  look({ open, taken, unread, other }: CallState): void {
    if (this.#isOver) return;
    if (!open) return this.#cut();
    if (unread !== null) this.hear();
    const silence = silenceOf(other);
    this.#silent = silence === undefined ? 0 : this.#silent + 1;
    this.#untaken = taken ? 0 : this.#untaken + 1;
    if (silence !== undefined && this.#silent >= SILENT_TWICE) this.fail(...silence);
    else if (this.#untaken >= UNTAKEN) this.fail('deaf', `node ${this.#name} does not take requests`);
  }

  /** @throws NodeUnanswered */
  async head(): Promise<{ readonly head: Head; readonly body: AsyncGenerator<Uint8Array> }> {
    const first = await this.#row();
    const head = first.head ?? { status: 500, headers: {} };
    return { head, body: this.#body(first) };
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#parts.onEnd();
  }

  async *#body(first: AnswerRow): AsyncGenerator<Uint8Array> {
    try {
      for (let row = first; ; row = await this.#row()) {
        if (row.chunk !== null && row.chunk.length > 0) yield row.chunk;
        if (row.last) return;
      }
    } finally {
      this.end();
    }
  }

  async #row(): Promise<AnswerRow> {
    for (let isFull = false; ;) {
      if (this.#failure !== undefined) throw this.#failure;
      const row = this.#rows.shift();
      if (row !== undefined) return this.#taken(row);
      if (!isFull) await this.#news.come();
      this.#rows = [...(await this.#read())];
      isFull = this.#rows.length === WINDOW;
    }
  }

  #taken(row: AnswerRow): AnswerRow {
    this.#next = row.seq + 1;
    if (row.head?.broken === true) {
      this.fail('broken', `node ${this.#name} made a mistake of tsched itself: see its log`);
      if (this.#failure !== undefined) throw this.#failure;
    }
    // All of it is here: the table need not keep it any longer.
    if (row.last) this.end();
    return row;
  }

  async #read(): Promise<readonly AnswerRow[]> {
    const { table, clock, to } = this.#parts;
    const isWanted = (): boolean => this.#failure === undefined;
    if (!isWanted()) return [];
    try {
      const ask = () => table.read(this.id, { to, next: this.#next, most: WINDOW });
      const rows = await patiently(ask, { clock, isWanted });
      if (rows === undefined) this.#cut();
      return rows ?? [];
    } catch (error) {
      if (!(error instanceof DatabaseAway)) throw error;
      this.fail('away', awayWords(error));
      return [];
    }
  }

  #cut(): void {
    this.fail('cut', `node ${this.#name} ended, or was restarted, before it had answered`);
  }
}

/** Why a node cannot be asked, if it cannot. */
export function silenceOf({ name, state, heard }: OtherNode): [NoAnswer, string] | undefined {
  if (name === null || heard === null) return ['unknown', 'that node is not known any more'];
  if (state === 'stopped') return ['silent', `node ${name} was stopped`];
  if (heard < SILENCE) return undefined;
  return ['silent', `node ${name} has not been heard of for ${Math.round(heard / 1000)} s`];
}

export function awayWords(error: DatabaseAway): string {
  return `nodes talk through the database, which is away: ${error.message}`;
}
