/** A store in a process of its own, whose file system, system calls and thread the test has in its hand. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { HistoryRow } from '../../src/engine/ports.ts';
import type { Pause, Place, RunRecord, SkipRecord } from '../../src/model.ts';
import type { StoreHealth } from '../../src/store/sqlite/store.ts';
import { readHistory } from '../../src/store/sqlite/reader.ts';
import { until, type Later } from './daemon.ts';

const program = join(import.meta.dirname, '../fixtures/programs/store.ts');

export interface Refusal {
  readonly kind: string;
  readonly message: string;
  readonly hint?: string;
}

type Word =
  | { readonly answer: unknown }
  | { readonly health: StoreHealth }
  | { readonly unwritable: string }
  | { readonly opened: number }
  | { readonly refused: Refusal };

export class StoreProcess {
  readonly health: StoreHealth[] = [];
  readonly unwritable: string[] = [];
  /** All that was asked of it, as it should be in the history. */
  readonly runs = new Map<string, RunRecord>();
  readonly skips: SkipRecord[] = [];
  pid: number | undefined;
  refusal: Refusal | undefined;
  ended: number | string | undefined;
  readonly #child: ChildProcess;
  readonly #asked: ((answer: unknown) => void)[] = [];
  #errors = '';

  /** `wrapper` starts Node, as in `strace …`; it must pass on its standard input and output. */
  constructor(path: string, later: Later, wrapper: readonly string[] = []) {
    const [file = process.execPath, ...args] = wrapper.length === 0 ? [] : [...wrapper, process.execPath];
    this.#child = spawn(file, [...args, program, path], { stdio: 'pipe' });
    this.#child.once('close', (code, signal) => (this.ended = code ?? signal ?? 'unknown'));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
    let rest = '';
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#hear(JSON.parse(line) as Word);
    });
    this.#child.stdin?.on('error', () => undefined); // its end is told in another way
    later(async () => {
      if (this.pid !== undefined && this.ended === undefined) process.kill(this.pid, 'SIGKILL');
      this.#child.kill('SIGKILL');
      await this.until('its end', () => this.ended !== undefined);
    });
  }

  until<T>(what: string, look: () => T | undefined | false): Promise<T> {
    return until(what, look, {
      told: () => `; ended: ${this.ended}; health: ${JSON.stringify(this.health)}\n${this.#errors}`,
    });
  }

  async opened(): Promise<this> {
    await this.until('the store to open', () => this.pid ?? (this.ended !== undefined && 'ended'));
    if (this.pid === undefined) throw new Error(`it ended: ${this.ended} ${this.#errors}`);
    return this;
  }

  async refused(): Promise<Refusal> {
    return this.until('the store to refuse', () => this.refusal);
  }

  claim(runs: readonly RunRecord[], skips: readonly SkipRecord[] = []): Promise<readonly boolean[]> {
    for (const run of runs) this.runs.set(run.id, run);
    this.skips.push(...skips);
    return this.#ask('claim', runs, skips) as Promise<readonly boolean[]>;
  }

  async save(run: RunRecord): Promise<void> {
    this.runs.set(run.id, run);
    await this.#ask('save', run);
  }

  async place(placed: readonly [string, Place][], gone: readonly string[] = []): Promise<void> {
    await this.#ask('place', placed, gone);
  }

  async pause(jobId: string, pause: Pause): Promise<void> {
    await this.#ask('pause', jobId, pause);
  }

  /** Ends the thread that writes, whatever it is doing. */
  async endThread(): Promise<void> {
    await this.#ask('endThread');
  }

  turns(): Promise<number> {
    return this.#ask('turns') as Promise<number>;
  }

  async close(): Promise<void> {
    await this.#ask('close');
    await this.until('its end', () => this.ended !== undefined);
  }

  isDegraded(): StoreHealth | undefined {
    const last = this.health.at(-1);
    return last?.kind === 'degraded' ? last : undefined;
  }

  /** Waits until the last word of its health is that it is well again. */
  healed(): Promise<StoreHealth> {
    return this.until('it to heal', () => {
      const last = this.health.at(-1);
      return last?.kind === 'well' && last;
    });
  }

  #ask(...words: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve) => {
      this.#asked.push(resolve);
      this.#child.stdin?.write(`${JSON.stringify(words)}\n`);
    });
  }

  #hear(word: Word): void {
    if ('answer' in word) this.#asked.shift()?.(word.answer);
    else if ('health' in word) this.health.push(word.health);
    else if ('unwritable' in word) this.unwritable.push(word.unwritable);
    else if ('opened' in word) this.pid = word.opened;
    else this.refusal = word.refused;
  }
}

/** All that a history holds, in an order of its own. */
export function contentsOf(path: string): { runs: RunRecord[]; skips: SkipRecord[] } {
  const reader = readHistory(path);
  const rows: HistoryRow[] = reader.rows({ limit: 1_000_000 });
  reader.close();
  return {
    runs: rows.flatMap((row) => ('run' in row ? [row.run] : [])).sort((a, b) => (a.id < b.id ? -1 : 1)),
    skips: rows
      .flatMap((row) => ('skip' in row ? [row.skip] : []))
      .sort((a, b) => a.scheduledAt - b.scheduledAt),
  };
}

/** The same of what a store was asked to record. */
export function askedOf({ runs, skips }: StoreProcess): { runs: RunRecord[]; skips: SkipRecord[] } {
  return {
    runs: [...runs.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
    skips: [...skips].sort((a, b) => a.scheduledAt - b.scheduledAt),
  };
}
