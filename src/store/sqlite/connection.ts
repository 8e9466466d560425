import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Answers, Held, Reply, Request, Trouble } from './protocol.ts';

/** What the thread that holds the database could not do. */
export class StoreTrouble extends Error {
  override readonly name = 'StoreTrouble';
  readonly kind: Trouble['kind'];
  readonly hint: string | undefined;

  constructor({ kind, message, hint }: Trouble) {
    super(message);
    this.kind = kind;
    this.hint = hint;
  }
}

interface Asked {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: StoreTrouble) => void;
}

/** A thread that holds the database of a path, and the questions it has not answered yet. */
export class Connection {
  readonly #worker: Worker;
  readonly #asked: Asked[] = [];
  #dead: StoreTrouble | undefined;

  constructor(path: string, { readOnly = false } = {}) {
    const held: Held = { path, readOnly };
    this.#worker = new Worker(program(), { workerData: held, stdout: false, stderr: false });
    this.#worker.on('message', (reply: Reply) => this.#take(reply));
    this.#worker.on('error', (error) => this.#died(`its thread failed: ${String(error)}`));
    this.#worker.on('exit', () => this.#died('its thread ended'));
    // What keeps the daemon alive is its jobs, not its history.
    this.#worker.unref();
  }

  /** @throws StoreTrouble */
  ask<Kind extends Request['kind']>(request: Extract<Request, { kind: Kind }>): Promise<Answers[Kind]> {
    return new Promise((resolve, reject) => {
      if (this.#dead !== undefined) return reject(this.#dead);
      this.#asked.push({ resolve: resolve as Asked['resolve'], reject });
      this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  /** Ends the thread, whatever it is doing. */
  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #take(reply: Reply): void {
    const asked = this.#asked.shift();
    if (this.#asked.length === 0) this.#worker.unref();
    if ('trouble' in reply) asked?.reject(new StoreTrouble(reply.trouble));
    else asked?.resolve(reply.answer);
  }

  #died(message: string): void {
    this.#dead ??= new StoreTrouble({ kind: 'disk', message });
    for (const { reject } of this.#asked.splice(0)) reject(this.#dead);
  }

  get isDead(): boolean {
    return this.#dead !== undefined;
  }
}

/** A source beside this one, or a bundle beside the one this is in. */
function program(): string {
  const here = fileURLToPath(import.meta.url);
  const extension = extname(here);
  return join(dirname(here), extension === '.ts' ? 'thread.ts' : `store-thread${extension}`);
}
