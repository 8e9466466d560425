import type { Problem } from '../schedule/problem.ts';

/** Linux's PATH_MAX. */
const LONGEST_PATH = 4096;

/** Why what `include` names is no path and no glob; undefined where it is one. */
export function whyNoPattern(pattern: string): Problem | undefined {
  if (pattern.includes('\0')) return { message: 'a path cannot hold a NUL character' };
  if (pattern.length > LONGEST_PATH) return { message: `the path is longer than ${LONGEST_PATH} characters` };
  // A dozen of them make more patterns than memory holds, and lists say the same (F81).
  return /\{.*(?:,|\.\.).*\}/s.test(pattern)
    ? { message: 'braces are not expanded here', hint: 'write a list of paths or globs' }
    : undefined;
}
