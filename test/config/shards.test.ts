import { describe, expect, it } from 'vitest';
import { loadInChild } from '../../src/config/apart.ts';
import { Files, lines, OPTIONS } from './support.ts';

function jobs(keys: string): string {
  return `jobs:\n  j:\n    every: 1h\n    run: x\n    ${keys}\n`;
}

describe('the parts of runs', () => {
  it('are counted, or are all combinations of a matrix, the last dimension fastest', async () => {
    using files = new Files();
    expect((await files.job(jobs('shards: 2'))).shards).toEqual([
      { index: 0, total: 2 },
      { index: 1, total: 2 },
    ]);
    const matrix = await files.job(jobs('matrix: { region: [eu, us], size: ["1", "2"] }'));
    expect(matrix.shards).toEqual(
      ['eu 1', 'eu 2', 'us 1', 'us 2'].map((pair, index) => {
        const [region, size] = pair.split(' ');
        return { index, total: 4, values: { region, size } };
      }),
    );
    expect((await files.job(jobs('tags: [x]'))).shards).toBeUndefined();
  });

  it("come from defaults, where a job does not say another: a matrix stands in place of the default's shards", async () => {
    using files = new Files();
    const text = `defaults: { shards: 3 }\n${jobs('matrix: { region: [eu] }')}  k: { every: 1h, run: x }\n`;
    const { jobs: all } = await files.loaded(text);
    expect(all.map(({ shards }) => shards?.length)).toEqual([1, 3]);
  });

  it('come back from a process of their own as they were', async () => {
    using files = new Files();
    const file = await files.loaded(jobs('matrix: { region: [eu, us] }'));
    const apart = await loadInChild(files.path('jobs.yaml'), OPTIONS);
    expect(apart).toMatchObject({ ok: true, file: { jobs: file.jobs } });
  });

  const many = Array.from({ length: 11 }, (_, n) => `v${n}`).join(', ');
  it.each([
    ['shards: 0', 'jobs.j.shards: expected a whole number from 1 to 100, got 0'],
    ['shards: 101', 'jobs.j.shards: expected a whole number from 1 to 100, got 101'],
    [
      `matrix: { a: [${many}], b: [${many}] }`,
      'jobs.j.matrix: it has 121 combinations, where a run can have 100 parts | leave out values, or make several jobs',
    ],
    ['matrix: { a: [] }', 'jobs.j.matrix.a: the list is empty'],
    [
      'matrix: {}',
      'jobs.j.matrix: nothing is in it | name what differs, such as region: [eu, us], or remove the key',
    ],
    [
      'matrix: { a: eu }',
      'jobs.j.matrix.a: expected a list, got text | write a list of values, such as [eu, us]',
    ],
    [
      String.raw`matrix: { a: ["x\0y"] }`,
      'jobs.j.matrix.a.0: it holds a NUL character, which no variable can hold',
    ],
    ['matrix: { a: [x, x] }', 'jobs.j.matrix: "a" has "x" twice | each part is run once: remove one'],
    ['matrix: { a: [1] }', 'jobs.j.matrix.a.0: expected text, got a number | quote it: "1"'],
    [
      'matrix: { a-b: [x], A_b: [y] }',
      'jobs.j.matrix: "a-b" and "A_b" are both TSCHED_MATRIX_A_B | rename one',
    ],
  ])('%s is refused', async (keys, message) => {
    using files = new Files();
    expect(lines(await files.load(jobs(keys))).map((line) => line.replace(/^\S+ error /, ''))).toEqual([
      message,
    ]);
  });

  it('are refused where a job has both', async () => {
    using files = new Files();
    const text = 'jobs: { j: { every: 1h, run: x, shards: 2, matrix: { a: [x] } } }\n';
    expect(lines(await files.load(text))[0]).toMatch(/a job has shards or a matrix, not both/);
  });
});
