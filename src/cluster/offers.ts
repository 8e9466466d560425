/** Queues in which something waits, and whether this node may take it. */
import { existsSync } from 'node:fs';
import type { Clock } from '../engine/ports.ts';
import type { Database } from '../postgres/database.ts';
import { Errand } from './errand.ts';
import { knownQueues, type KnownQueue } from './requirement.ts';

export interface OffersOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly labels: readonly string[];
  readonly onTrouble: (message: string) => void;
}

export class Offers {
  readonly #options: OffersOptions;
  readonly #labels: ReadonlySet<string>;
  readonly #reading: Errand;
  /** In the order in which they have their turn. */
  readonly #waiting = new Set<string>();
  #queues: ReadonlyMap<string, KnownQueue> = new Map();
  /** Modules of loaded jobs that were not here when somebody looked. */
  #lacks: readonly string[] = [];
  readonly #told = new Set<string>();

  constructor(options: OffersOptions) {
    this.#options = options;
    this.#labels = new Set(options.labels);
    const { clock, onTrouble } = options;
    this.#reading = new Errand({ clock, onTrouble, run: () => this.load() });
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  get lacks(): readonly string[] {
    this.#lacks = this.#lacks.filter((path) => !existsSync(path));
    return this.#lacks;
  }

  /** What queues require is read anew, by and by. */
  changed(): void {
    this.#reading.ask();
  }

  /** Reads what queues require. */
  async load(): Promise<void> {
    const queues = await knownQueues(this.#options.database);
    this.#queues = new Map(queues.map((each) => [each.name, each]));
    const needed = queues.flatMap((each) =>
      each.jobs > 0 && this.#hasLabels(each) && each.module !== undefined ? [each.module] : [],
    );
    this.#lacks = [...new Set(needed)].filter((path) => !this.#has(path)).toSorted();
  }

  add(name: string): void {
    this.#waiting.add(name);
  }

  /** Whose turn it is; from then on it is not waiting. Undefined: there is nothing for this node. */
  async next(): Promise<string | undefined> {
    for (const name of this.#waiting) {
      if (!this.#queues.has(name)) await this.load();
      this.#waiting.delete(name);
      const queue = this.#queues.get(name);
      if (queue !== undefined && this.#hasLabels(queue) && this.#hasModule(queue)) return name;
    }
    return undefined;
  }

  close(): void {
    this.#reading.close();
  }

  #hasLabels({ labels }: KnownQueue): boolean {
    return labels.every((label) => this.#labels.has(label));
  }

  #hasModule({ module }: KnownQueue): boolean {
    if (module === undefined || this.#has(module)) return true;
    if (!this.#lacks.includes(module)) this.#lacks = [...this.#lacks, module].toSorted();
    return false;
  }

  #has(path: string): boolean {
    if (existsSync(path)) {
      this.#told.delete(path);
      return true;
    }
    if (!this.#told.has(path)) {
      this.#told.add(path);
      this.#options.onTrouble(
        `there is no module ${path} on this node: it takes no attempts of jobs that need it until it is there`,
      );
    }
    return false;
  }
}
