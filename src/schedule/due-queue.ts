/**
 * A binary heap of things that fall due. Ordered by time, then priority (higher first), then insertion, so that equal
 * questions give equal answers. Every operation costs O(log n); nothing scans the queue.
 */
export class DueQueue<T> {
  #heap: Due<T>[] = [];
  #inserted = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** Adds an item due at `at` (any unit, as long as the whole queue uses one). The ticket removes it again. */
  push(at: number, item: T, priority = 0): Due<T> {
    return this.insert({ at, priority, order: this.#inserted++ }, item);
  }

  /** As `push`, for items that stand in several queues in the same order: a queue is filled by one of the two only. */
  insert({ at, priority, order }: Rank, item: T): Due<T> {
    const due: Due<T> = { at, item, priority, order, position: this.#heap.length };
    this.#heap.push(due);
    this.#rise(due);
    return due;
  }

  /** When the first item falls due; undefined when there is none. */
  nextAt(): number | undefined {
    return this.#heap[0]?.at;
  }

  get first(): Due<T> | undefined {
    return this.#heap[0];
  }

  /** Takes the first item if it is due at `now`. */
  takeDue(now: number): T | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.remove(first);
    return first.item;
  }

  /** Removes an entry wherever it stands; removing it twice, or one of another queue, changes nothing. */
  remove(due: Due<T>): void {
    const { position } = due;
    if (this.#heap[position] !== due) return;
    due.position = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === due) return;
    this.#heap[position] = last;
    last.position = position;
    this.#rise(last);
    this.#sink(last);
  }

  #rise(due: Due<T>): void {
    const heap = this.#heap;
    let at = due.position;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt];
      if (parent === undefined || !isBefore(due, parent)) break;
      heap[at] = parent;
      parent.position = at;
      at = parentAt;
    }
    heap[at] = due;
    due.position = at;
  }

  #sink(due: Due<T>): void {
    const heap = this.#heap;
    let at = due.position;
    for (;;) {
      const left = heap[2 * at + 1];
      if (left === undefined) break;
      const right = heap[2 * at + 2];
      const child = right !== undefined && isBefore(right, left) ? right : left;
      if (!isBefore(child, due)) break;
      const childAt = child.position;
      heap[at] = child;
      child.position = at;
      at = childAt;
    }
    heap[at] = due;
    due.position = at;
  }
}

/** What decides who is first. */
export interface Rank {
  readonly at: number;
  readonly priority: number;
  readonly order: number;
}

/** A ticket for an item in a DueQueue. */
export interface Due<T> extends Rank {
  readonly item: T;
  /** Index in the heap, -1 once removed; kept by the queue. */
  position: number;
}

/** The order of the queue. */
export function isBefore(a: Rank, b: Rank): boolean {
  if (a.at !== b.at) return a.at < b.at;
  if (a.priority !== b.priority) return a.priority > b.priority;
  return a.order < b.order;
}
