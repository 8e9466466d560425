import type {
  Instant,
  JobDefinition,
  JobId,
  Pools as Sizes,
  PoolUse,
  RunRecord,
  Task,
  Waited,
} from '../model.ts';
import { BOUNDS } from './ports.ts';
import type { PoolView } from '../pool.ts';
import { DueQueue, isBefore, type Due, type Rank } from '../schedule/due-queue.ts';

/** The daemon's own bounds on runs at once; Infinity: none. */
export interface Bounds {
  /** On all runs. */
  readonly runs: number;
  /** On those that have a process of their own. */
  readonly processes: number;
  /** On modules that run in a thread. */
  readonly threads: number;
}

/** What a run takes of one limit. */
export interface Demand {
  readonly limit: Limit;
  readonly slots: number;
}

/** A run, as far as limits know it. */
export interface Holder {
  readonly claim: Pick<RunRecord, 'id' | 'jobId' | 'claimedAt'>;
}

/** What stands in line. */
export interface Place {
  readonly jobId: JobId;
  readonly priority: number;
  /** Of equal priority the earlier goes first. */
  readonly dueAt: Instant;
  /** Outermost last: the pool, the bound of its kind, the bound on all. */
  readonly demands: readonly Demand[];
  /** Since when it waits. */
  readonly since: Instant;
  /** It has left the line, and takes what it demands within this call, or nothing at all. */
  readonly enter: () => void;
}

/** Names told of those who hold a pool. */
const MOST_NAMED = 5;

/** One limit: a pool of the job file (level 0), or a bound of the daemon: on one kind of runs (1), or on all (2). */
export class Limit {
  readonly name: string;
  readonly level: 0 | 1 | 2;
  size: number;
  used = 0;
  readonly line = new DueQueue<Waiter>();
  /** Of pools only: the bound on all runs has thousands. */
  readonly holders = new Map<Holder, number>();

  constructor(name: string, size: number, level: Limit['level']) {
    this.name = name;
    this.size = size;
    this.level = level;
  }

  get isPool(): boolean {
    return this.level === 0;
  }

  /** Who wants more than there is has all of it: a pool that shrank lets everybody in, one at a time. */
  fits(slots: number): boolean {
    return this.used + Math.min(slots, this.size) <= this.size;
  }

  /** That something waits for it from now on. */
  awaited(since: Instant): Waited {
    const ids = new Set<JobId>();
    for (const { claim } of this.holders.keys()) {
      if (ids.size === MOST_NAMED) break;
      ids.add(claim.jobId);
    }
    return { limit: this.name, since, heldBy: [...ids] };
  }
}

/** A place in line. */
export class Waiter implements Place {
  readonly jobId: JobId;
  readonly priority: number;
  readonly dueAt: Instant;
  readonly demands: readonly Demand[];
  readonly since: Instant;
  readonly enter: () => void;
  readonly rank: Rank;
  /** One for each of the first demands. */
  readonly places: Due<Waiter>[] = [];
  /** What keeps it. */
  waitsFor: Limit | undefined;

  constructor(place: Place, order: number) {
    ({
      jobId: this.jobId,
      priority: this.priority,
      dueAt: this.dueAt,
      demands: this.demands,
      since: this.since,
      enter: this.enter,
    } = place);
    this.rank = { at: -place.priority, priority: -place.dueAt, order };
  }
}

const NONE: readonly Demand[] = [];

/** What a task runs in; a request of the daemon's own needs neither. */
type Kind = 'process' | 'thread' | 'neither';

function kindOf(task: Task): Kind {
  if (task.kind === 'http') return 'neither';
  return task.kind === 'module' && task.isolation === 'thread' ? 'thread' : 'process';
}

/**
 * Limits that runs share: the pools of the job file, and the daemon's own bounds. A run takes slots of all its limits at once, or of
 * none; who cannot stands in line, higher priority first, then the earlier due.
 *
 * Who is first in the line of a limit blocks it, be it that it wants more than is free: so nobody starves. It blocks no other: it
 * stands in the line of its second limit only while it is first in that of the first one and could have it, and so on. The limits of
 * all runs come in one order and so do all lines, hence nobody waits in a circle. A release costs what it lets in, however many wait.
 */
export class Pools {
  readonly #pools = new Map<string, Limit>();
  readonly #bounds: readonly Limit[];
  /** What a run takes beside its pool, by what it runs in. */
  readonly #byKind: Readonly<Record<Kind, readonly Demand[]>>;
  /** By the pool's use, which jobs written alike share. */
  readonly #demands = new WeakMap<Pick<PoolUse, 'name'>, Readonly<Record<Kind, readonly Demand[]>>>();
  /** Limits in whose lines somebody may have the turn now, by level. */
  readonly #touched = [new Set<Limit>(), new Set<Limit>(), new Set<Limit>()] as const;
  #placed = 0;
  /** While nobody is let in: what to do when that is over. */
  #held: (() => void)[] | undefined;

  constructor({ runs, processes, threads }: Bounds) {
    const all = new Limit(BOUNDS.runs, runs, 2);
    const process = new Limit(BOUNDS.processes, processes, 1);
    const thread = new Limit(BOUNDS.threads, threads, 1);
    this.#bounds = [all, process, thread].filter(({ size }) => size < Infinity);
    const demands = (...limits: Limit[]): readonly Demand[] =>
      limits.filter(({ size }) => size < Infinity).map((limit) => ({ limit, slots: 1 }));
    this.#byKind = {
      process: demands(process, all),
      thread: demands(thread, all),
      neither: demands(all),
    };
  }

  /** What each pool has from now on. One that is not named keeps what it had, for those that still use it. */
  resize(sizes: Sizes): void {
    for (const [name, size] of Object.entries(sizes)) {
      const limit = this.#pool(name);
      limit.size = size;
      this.#touch(limit);
    }
    this.settle();
  }

  /** From now on nobody has a turn: of those that come, the best are not known before all have come. */
  hold(): void {
    this.#held = [];
  }

  /** Lets in who can be let in, and then does what waited for that. */
  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.settle();
    for (const action of held) action();
  }

  /** Does it once it is known who is let in: now, if nobody is held up. */
  whenKnown(action: () => void): void {
    if (this.#held === undefined) action();
    else this.#held.push(action);
  }

  /** What a run of the job takes; `pool`, where that is not what the job says now. */
  demandsOf(
    { task, policy }: Pick<JobDefinition, 'task' | 'policy'>,
    held?: RunRecord['pool'],
  ): readonly Demand[] {
    const kind = kindOf(task);
    const pool = held === undefined || alike(held, policy.pool) ? policy.pool : held;
    if (pool === undefined) return this.#byKind[kind];
    let known = this.#demands.get(pool);
    if (known === undefined) {
      const own = this.ofPool(pool);
      const { process, thread, neither } = this.#byKind;
      known = {
        process: [...own, ...process],
        thread: [...own, ...thread],
        neither: [...own, ...neither],
      };
      this.#demands.set(pool, known);
    }
    return known[kind];
  }

  ofPool(pool: Pick<PoolUse, 'name' | 'slots'> | undefined): readonly Demand[] {
    return pool === undefined ? NONE : [{ limit: this.#pool(pool.name), slots: pool.slots }];
  }

  /** Whether who comes now has its turn at once, without standing in line. */
  admits(demands: readonly Demand[], rank: Pick<Place, 'priority' | 'dueAt'>): boolean {
    if (demands.length === 0) return true;
    if (this.#held !== undefined || this.#touched.some(({ size }) => size > 0)) return false;
    return this.blocker(demands, rank) === undefined;
  }

  /** What keeps who comes now from having its turn. */
  blocker(
    demands: readonly Demand[],
    { priority, dueAt }: Pick<Place, 'priority' | 'dueAt'>,
  ): Limit | undefined {
    return demands.find(({ limit, slots }) => {
      const { first } = limit.line;
      if (!limit.fits(slots)) return true;
      return first !== undefined && isBefore(first, { at: -priority, priority: -dueAt, order: Infinity });
    })?.limit;
  }

  /** Takes it, whether or not there is room. */
  take(holder: Holder, demands: readonly Demand[]): void {
    for (const { limit, slots } of demands) {
      limit.used += slots;
      if (limit.isPool) limit.holders.set(holder, slots);
    }
  }

  /** Gives it back; `settle` then, when nobody else is to stand in line before. */
  release(holder: Holder, demands: readonly Demand[]): void {
    for (const { limit, slots } of demands) {
      limit.used -= slots;
      if (limit.isPool) limit.holders.delete(holder);
      this.#touch(limit);
    }
  }

  /** Puts in line. Its turn comes within this call if nothing is in its way. */
  stand(place: Place): Waiter {
    const waiter = new Waiter(place, this.#placed++);
    const [outermost] = place.demands;
    if (outermost === undefined) waiter.enter();
    else {
      waiter.places.push(outermost.limit.line.insert(waiter.rank, waiter));
      waiter.waitsFor = outermost.limit;
      this.#touch(outermost.limit);
    }
    this.settle();
    return waiter;
  }

  /** Gives up a place; `settle` then: it may have been in the way of others. Doing it twice changes nothing. */
  leave(waiter: Waiter): void {
    this.#withdraw(waiter, 0);
  }

  /** Lets in who can be let in, where something was given back or given up. The outermost lines go first: who is let through there is in time for the others. */
  settle(): void {
    if (this.#held !== undefined) return;
    for (let limit = this.#next(); limit !== undefined; limit = this.#next()) {
      for (let { first } = limit.line; first !== undefined; first = limit.line.first) {
        if (!limit.fits(slotsOf(first.item, limit))) break;
        this.#advance(first.item);
        // It waits elsewhere now, and stays first here.
        if (limit.line.first === first) break;
      }
    }
  }

  /** Pools by name, then the bounds. */
  *standing(): Generator<PoolView> {
    const pools = [...this.#pools.values()].filter(({ size }) => size < Infinity);
    for (const { name, size, used, line, holders } of [
      ...pools.sort((a, b) => (a.name < b.name ? -1 : 1)),
      ...this.#bounds,
    ]) {
      const first = line.first?.item;
      yield {
        name,
        slots: size,
        used,
        waiting: line.size,
        holders: Array.from(holders, ([{ claim }, slots]) => {
          const { id, jobId, claimedAt } = claim;
          return { id, jobId, claimedAt, slots };
        }),
        next: first === undefined ? undefined : { jobId: first.jobId, since: first.since },
      };
    }
  }

  /** Step by step through its lines, as far as it is first and there is room; at the end its turn has come. */
  #advance(waiter: Waiter): void {
    const { demands, places, rank } = waiter;
    for (const [index, { limit, slots }] of demands.entries()) {
      const place = (places[index] ??= limit.line.insert(rank, waiter));
      if (limit.line.first === place && limit.fits(slots)) continue;
      waiter.waitsFor = limit;
      // Further on it would be in the way of others for what it cannot have.
      this.#withdraw(waiter, index + 1);
      return;
    }
    this.#withdraw(waiter, 0);
    waiter.enter();
  }

  /** Takes it out of its lines but the first few. */
  #withdraw({ demands, places }: Waiter, from: number): void {
    for (const [index, due] of places.splice(from).entries()) {
      const limit = demands[from + index]?.limit;
      if (limit === undefined) continue;
      if (limit.line.first === due) this.#touch(limit);
      limit.line.remove(due);
    }
  }

  #touch(limit: Limit): void {
    if (limit.line.size > 0) this.#touched[limit.level].add(limit);
  }

  #next(): Limit | undefined {
    for (const limits of this.#touched) {
      for (const limit of limits) {
        limits.delete(limit);
        return limit;
      }
    }
    return undefined;
  }

  #pool(name: string): Limit {
    const known = this.#pools.get(name) ?? new Limit(name, Number.POSITIVE_INFINITY, 0);
    this.#pools.set(name, known);
    return known;
  }
}

function slotsOf({ demands }: Waiter, limit: Limit): number {
  return demands.find((demand) => demand.limit === limit)?.slots ?? 0;
}

function alike(held: NonNullable<RunRecord['pool']>, pool: PoolUse | undefined): boolean {
  return held.name === pool?.name && held.slots === pool.slots;
}
