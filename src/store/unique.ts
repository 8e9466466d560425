import type { RunId } from '../model.ts';

/** How many characters of an id tell it from every other, where these are its neighbours in the order of ids. */
export function uniqueLengthOf(id: RunId, neighbours: readonly (RunId | null | undefined)[]): number {
  return Math.max(...neighbours.map((other) => alike(id, other ?? '') + 1));
}

/** Characters two texts have in common at their beginning. */
function alike(one: string, other: string): number {
  let count = 0;
  while (count < one.length && one[count] === other[count]) count += 1;
  return count;
}
