/** Any mixture of limits: what holds after every step, whoever comes, goes and gives up. */
import { describe, expect, it } from 'vitest';
import { Pools, type Demand, type Holder, type Waiter } from '../../src/engine/pools.ts';
import { SEED } from '../support/cron-judge.ts';
import { Random } from '../support/cron-oracle.ts';
import { job } from '../support/jobs.ts';

const MIXTURES = 300;
const STEPS = 200;
const NAMES = ['database', 'license', 'disk'];

interface Run extends Holder {
  readonly demands: readonly Demand[];
  readonly priority: number;
  readonly dueAt: number;
  readonly order: number;
  readonly pool: string | undefined;
  waiter?: Waiter;
}

/** Runs that come and go at random, and the rules they are held to. */
class Mixture {
  readonly #random: Random;
  readonly #seed: number;
  /** Rules that did not hold. */
  readonly broken: string[] = [];
  readonly #pools: Pools;
  readonly #waiting = new Set<Run>();
  readonly #running = new Set<Run>();
  #came = 0;
  #isShrunk = false;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new Random(seed);
    const bound = () => this.#random.pick([1, 2, 4, Infinity]);
    this.#pools = new Pools({
      runs: this.#random.pick([2, 3, 6, Infinity]),
      processes: bound(),
      threads: bound(),
    });
    this.#pools.resize({ database: 1, license: 2, disk: 3 });
  }

  play(): void {
    for (let step = 0; step < STEPS; step += 1) {
      this.#step();
      this.#check();
    }
    // Nobody comes any more: all have their turn, whatever they wait for.
    while (this.#running.size > 0) {
      this.#end(this.#random.pick([...this.#running]));
      this.#check();
    }
    this.#hold(this.#waiting.size === 0, `${this.#waiting.size} left in line`);
    this.#hold(this.#came > 0, 'somebody comes');
  }

  #hold(isTrue: boolean, rule: string): void {
    if (!isTrue) this.broken.push(`${rule}, seed ${this.#seed}`);
  }

  #step(): void {
    const random = this.#random;
    const what = random.int(0, 9);
    if (what < 5) this.#come();
    else if (what < 8 && this.#running.size > 0) this.#end(random.pick([...this.#running]));
    else if (what === 8 && this.#waiting.size > 0) this.#giveUp(random.pick([...this.#waiting]));
    else if (what === 9) {
      this.#isShrunk = true;
      this.#pools.resize({ [random.pick(NAMES)]: random.int(1, 4) });
    }
  }

  #come(): void {
    const random = this.#random;
    const pool = random.int(0, 2) === 0 ? undefined : random.pick(NAMES);
    const use = pool === undefined ? {} : { pool: { name: pool, slots: random.int(1, 3) } };
    const isThread = random.int(0, 1) === 0;
    const { task, policy } = job('x', { policy: use });
    const thread = { kind: 'module', path: '/x', exportName: 'x', isolation: 'thread', with: {} } as const;
    const order = (this.#came += 1);
    const run: Run = {
      claim: { id: `${order}`, jobId: `j${order}`, claimedAt: 0 },
      demands: this.#pools.demandsOf({ task: isThread ? thread : task, policy }),
      priority: random.int(0, 2),
      dueAt: random.int(0, 5),
      order,
      pool,
    };
    if (this.#pools.admits(run.demands, run)) return this.#enter(run);
    this.#waiting.add(run);
    run.waiter = this.#pools.stand({
      ...run,
      jobId: run.claim.jobId,
      since: 0,
      enter: () => this.#enter(run),
    });
  }

  #enter(run: Run): void {
    this.#hold(!this.#running.has(run), `${run.order} has its turn once`);
    for (const { limit, slots } of run.demands)
      this.#hold(limit.fits(slots), `${run.order} fits ${limit.name}`);
    this.#waiting.delete(run);
    // In its pool nobody is passed.
    for (const other of this.#waiting) {
      if (other.pool === undefined || other.pool !== run.pool) continue;
      this.#hold(rank(other) > rank(run), `${run.order} is not before ${other.order}`);
    }
    this.#running.add(run);
    this.#pools.take(run, run.demands);
  }

  #end(run: Run): void {
    this.#running.delete(run);
    this.#pools.release(run, run.demands);
    this.#pools.settle();
  }

  #giveUp(run: Run): void {
    this.#waiting.delete(run);
    if (run.waiter !== undefined) this.#pools.leave(run.waiter);
    this.#pools.settle();
  }

  /** Whoever is best of all that wait waits for want of room, and for nothing else. */
  #check(): void {
    const [best] = [...this.#waiting].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
    const hasRoom = best?.demands.every(({ limit, slots }) => limit.fits(slots));
    this.#hold(hasRoom !== true, `${best?.order} does not wait while there is room`);
    const used = new Map<string, number>();
    for (const { demands } of this.#running)
      for (const { limit, slots } of demands) used.set(limit.name, (used.get(limit.name) ?? 0) + slots);
    for (const { name, used: said, slots, holders } of this.#pools.standing()) {
      this.#hold(said === (used.get(name) ?? 0), `${name} counts what is used`);
      const isOver = !this.#isShrunk && !name.startsWith('_') && holders.length > 1 && said > slots;
      this.#hold(!isOver, `${name} is not overfull`);
    }
  }
}

/** Texts in the order of turns. */
function rank({ priority, dueAt, order }: Run): string {
  return `${9 - priority} ${dueAt} ${String(order).padStart(6, '0')}`;
}

describe('limits of all kinds together', () => {
  it('let in whom they can, best first, never more than there is room for, and all in the end', () => {
    for (let n = 0; n < MIXTURES; n += 1) {
      const mixture = new Mixture(SEED + n);
      mixture.play();
      expect(mixture.broken).toEqual([]);
    }
  });
});
