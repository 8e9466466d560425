/** The pools of all files of a job set: how many slots each has, and whether jobs ask for what there is. */
import type { Pools } from '../model.ts';
import type { Problem } from '../schedule/problem.ts';
import { suggest } from '../schedule/suggest.ts';
import type { Related } from './diagnostic.ts';
import type { Outline } from './outline.ts';
import { NO_POOL, type PoolValues } from './pool-fields.ts';

type Complain = (problem: Problem & { readonly related?: Related }) => void;

export class PoolBook {
  /** By name, with the file it stands in; also those that have mistakes. */
  readonly #outlines = new Map<string, Outline>();
  readonly #used = new Set<string>();
  readonly #sizes: Record<string, number> = {};
  readonly #elsewhere: Pools | undefined;

  /** `elsewhere`: those that another file has, if all must stand there. */
  constructor(elsewhere: Pools | undefined) {
    this.#elsewhere = elsewhere;
  }

  /** All that were found to be right. */
  get pools(): Pools {
    return this.#sizes;
  }

  /** Takes in those of one file, and reports what is wrong with them. */
  add(outline: Outline): void {
    const sizes = (outline.settings['pools'] ?? {}) as Pools;
    for (const name of outline.namesIn('pools')) {
      const complain = (problem: Problem): void => {
        outline.reader.problem(outline.spanIn('pools', name), `pools.${name}`, problem);
      };
      if (this.#elsewhere !== undefined)
        complain({ message: 'pools stand in the job file of the daemon', hint: 'put it there' });
      const first = this.#outlines.get(name);
      if (first !== undefined && first !== outline)
        complain({ message: `the pool "${name}" is in ${first.source.name} too`, hint: 'rename one' });
      this.#outlines.set(name, outline);
      const size = sizes[name];
      if (size !== undefined) this.#sizes[name] = size;
    }
  }

  /** Notes the pool that a job has, defaults included: its own `slots` may not fit a pool that they name. Reports what it cannot have. */
  use(values: unknown, complain: Complain): void {
    if (values === undefined) return;
    const { name, slots = 1 } = values as PoolValues;
    if (!('name' in (values as PoolValues)))
      return complain({ message: 'nothing says which pool', hint: 'add name:' });
    if (name === undefined || name === NO_POOL) return;
    this.#used.add(name);
    const size = this.#sizes[name] ?? this.#elsewhere?.[name];
    if (size !== undefined && slots > size) {
      const message = `it takes ${slots} slots, but the pool "${name}" has ${size}`;
      const related = this.#placeOf(name);
      complain({ message, hint: 'it could never run', ...(related === undefined ? {} : { related }) });
    }
    const known = [...this.#outlines.keys(), ...Object.keys(this.#elsewhere ?? {})];
    if (!known.includes(name))
      complain({ message: `there is no pool "${name}"`, hint: hintFor(name, known) });
  }

  /** To be called when all that uses them is known. */
  warnOfUnused(): void {
    for (const [name, outline] of this.#outlines) {
      if (this.#used.has(name) || this.#sizes[name] === undefined) continue;
      outline.reader.warning(outline.spanIn('pools', name), `pools.${name}`, {
        message: `no job uses the pool "${name}"`,
        hint: `write pool: ${name} in a job or in defaults`,
      });
    }
  }

  #placeOf(name: string): Related | undefined {
    const outline = this.#outlines.get(name);
    if (outline === undefined) return undefined;
    return { ...outline.source.place(outline.spanIn('pools', name).start), message: 'its size is here' };
  }
}

function hintFor(name: string, known: readonly string[]): string {
  const near = suggest(name, known);
  if (near !== undefined) return `did you mean "${near}"?`;
  return known.length === 0 ? 'name it under pools:, with its slots' : `pools: ${known.join(', ')}`;
}
