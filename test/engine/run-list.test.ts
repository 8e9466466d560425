import { expect, it } from 'vitest';
import { RunList } from '../../src/engine/run-list.ts';

const run = (id: string) => ({ claim: { id }, place: -1 });

it('finds runs by id, whichever left before and however often', () => {
  const list = new RunList<ReturnType<typeof run>>();
  const [a, b, c] = [run('a'), run('b'), run('c')];
  for (const one of [a, b, c]) list.add(one);
  list.delete(a);
  list.delete(a);
  expect([list.get('a'), list.get('b'), list.get('c'), list.size]).toEqual([undefined, b, c, 2]);
  list.delete(c);
  list.delete(b);
  expect([list.get('b'), list.size]).toEqual([undefined, 0]);
});

it('hands out all that were there, though each is removed as it comes', () => {
  const list = new RunList<ReturnType<typeof run>>();
  for (const id of ['a', 'b', 'c', 'd']) list.add(run(id));
  const seen: string[] = [];
  for (const one of list.values()) {
    seen.push(one.claim.id);
    list.delete(one);
  }
  expect(seen).toEqual(['a', 'b', 'c', 'd']);
  expect(list.size).toBe(0);
});
