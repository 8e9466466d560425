import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DueQueue, type Due } from '../../src/schedule/due-queue.ts';

describe('due queue', () => {
  it('gives what a sorted list would give, whatever is added and removed on the way', () => {
    const operation = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          at: fc.integer({ min: 0, max: 20 }),
          priority: fc.integer({ min: -1, max: 1 }),
        }),
      },
      { weight: 2, arbitrary: fc.record({ remove: fc.nat() }) },
      { weight: 3, arbitrary: fc.record({ take: fc.integer({ min: 0, max: 20 }) }) },
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const queue = new DueQueue<number>();
        const sorted: Due<number>[] = [];
        const taken: [number | undefined, number | undefined][] = [];
        let item = 0;
        for (const operation of operations) {
          if ('at' in operation) sorted.push(queue.push(operation.at, (item += 1), operation.priority));
          else if ('remove' in operation) {
            const [due] = sorted.splice(operation.remove % (sorted.length + 1), 1);
            if (due !== undefined) queue.remove(due);
            if (due !== undefined) queue.remove(due);
          } else {
            const [first] = sorted.sort(
              (a, b) => a.at - b.at || b.priority - a.priority || a.order - b.order,
            );
            const due = first !== undefined && first.at <= operation.take ? sorted.shift() : undefined;
            taken.push([queue.takeDue(operation.take), due?.item]);
          }
          expect(queue.size).toBe(sorted.length);
          expect(queue.nextAt()).toBe(
            sorted.length === 0 ? undefined : Math.min(...sorted.map(({ at }) => at)),
          );
        }
        for (const [actual, expected] of taken) expect(actual).toBe(expected);
      }),
    );
  });
});
