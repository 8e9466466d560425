import { joinKey, type Join } from '../join.ts';

/** What is known of slots of jobs that follow others, in memory. */
export class Joins {
  readonly #joins: Map<string, Join>;

  constructor(joins: readonly Join[] = []) {
    this.#joins = new Map(joins.map((join) => [joinKey(join), join]));
  }

  change(joins: readonly Join[]): void {
    for (const join of joins) {
      if (join.state === 'over') this.#joins.delete(joinKey(join));
      else this.#joins.set(joinKey(join), join);
    }
  }

  all(): readonly Join[] {
    return [...this.#joins.values()];
  }
}
