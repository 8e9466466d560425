import { describe, expect, it } from 'vitest';
import { loadInChild } from '../../src/config/apart.ts';
import { Files, lines, OPTIONS } from './support.ts';

const JOB = 'jobs:\n  j:\n    every: 1h\n    run: x\n';
const DAY = 24 * 3_600_000;

describe('history', () => {
  it.each([
    ['', { keep: 1000, maxAge: 90 * DAY }],
    ['history: {}\n', { keep: 1000, maxAge: 90 * DAY }],
    ['history: { keep: 5 }\n', { keep: 5, maxAge: 90 * DAY }],
    ['history: { max_age: 1w }\n', { keep: 1000, maxAge: 7 * DAY }],
    ['history: { keep: 1000000, max_age: none }\n', { keep: 1_000_000 }],
    ['history: { max_age: "${AGE}" }\n', { keep: 1000, maxAge: 2 * DAY }],
  ])('%j', async (text, expected) => {
    using files = new Files();
    const file = await files.loaded(`${text}${JOB}`, { environment: { AGE: '2d' } });
    expect(file.history).toEqual(expected);
  });

  it('crosses from the process that loads large files', async () => {
    using files = new Files();
    const path = files.write('jobs.yaml', `history: { keep: 7, max_age: none }\n${JOB}`);
    expect(await loadInChild(path, OPTIONS)).toMatchObject({ ok: true, file: { history: { keep: 7 } } });
  });

  it.each([
    ['history: 5', '1:10 error history: expected a mapping (key: value), got 5'],
    ['history: { keep: 0 }', '1:18 error history.keep: expected a whole number from 1 to 1000000, got 0'],
    [
      'history: { keep: none }',
      '1:18 error history.keep: expected a whole number from 1 to 1000000, got "none"',
    ],
    [
      'history: { max_age: forever }',
      '1:21 error history.max_age: expected a duration or none, got "forever" | write none where nothing is too old',
    ],
    ['history: { max_age: 30s }', '1:21 error history.max_age: 30s is too short | at least 1m'],
    ['history: { max_age: 90 }', '1:21 error history.max_age: expected a duration, got 90 | add a unit: 90s'],
    [
      'history: { max_age: 3 months }',
      '1:21 error history.max_age: unknown unit "months" in the duration "3 months"',
    ],
    ['history: { maxAge: 1d }', '1:12 error history.maxAge: unknown key "maxAge" | did you mean "max_age"?'],
    ['retention: { keep: 5 }', '1:1 error retention: unknown key "retention" | did you mean "history"?'],
  ])('%s', async (text, said) => {
    using files = new Files();
    expect(lines(await files.load(`${text}\n${JOB}`))).toEqual([expect.stringContaining(said)]);
  });

  it('is said once, for all jobs', async () => {
    using files = new Files();
    expect(lines(await files.load(`${JOB}    history: { keep: 5 }\n`))).toEqual([
      '5:5 error jobs.j.history: unknown key "history" | history: { keep: 1000, max_age: 90d } stands at the top of the file, for all jobs',
    ]);
    files.write('more.yaml', `history: { keep: 5 }\n${JOB}`);
    expect(lines(await files.load('include: more.yaml\n'))).toEqual([
      '1:10 error history: an included file cannot say how much history is kept | say it in the main file, for all jobs',
    ]);
  });
});
