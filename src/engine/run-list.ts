import type { RunId } from '../model.ts';

interface Listed {
  readonly claim: { readonly id: RunId };
  /** Its place in the list, kept by the list. */
  place: number;
}

/**
 * Runs, found by id when somebody asks for one. A list rather than a map: people ask seldom, while 10,000 slots that come
 * together would each be hashed, and the map be made anew each time it doubles, before the first of them starts.
 */
export class RunList<Run extends Listed> {
  readonly #runs: Run[] = [];

  get size(): number {
    return this.#runs.length;
  }

  add(run: Run): void {
    run.place = this.#runs.push(run) - 1;
  }

  /** Removing it twice changes nothing. */
  delete(run: Run): void {
    const { place } = run;
    if (this.#runs[place] !== run) return;
    const last = this.#runs.pop();
    if (last === undefined || last === run) return;
    this.#runs[place] = last;
    last.place = place;
  }

  clear(): void {
    this.#runs.length = 0;
  }

  get(id: RunId): Run | undefined {
    return this.#runs.find(({ claim }) => claim.id === id);
  }

  /** A copy: what is done to one may remove it and others. */
  values(): Run[] {
    return this.#runs.slice();
  }
}
