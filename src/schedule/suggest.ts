import { distance } from 'fastest-levenshtein';

/** The candidate nearest to a mistyped word, if near enough to be meant: two letters in five may differ, at most three. */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  const lower = word.toLowerCase();
  let best: string | undefined;
  let least = Math.min(3, Math.max(1, Math.round(word.length * 0.4))) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= least) continue;
    const far = distance(lower, candidate.toLowerCase());
    if (far < least) {
      least = far;
      best = candidate;
    }
  }
  return best;
}
