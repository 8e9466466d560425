import { describe, expect, it } from 'vitest';
import { loadInChild } from '../../src/config/apart.ts';
import { loadJobFile } from '../../src/config/load.ts';
import { found, Files, lines, OPTIONS } from './support.ts';

function file(...jobs: readonly string[]): string {
  return `jobs:\n${jobs.map((job) => `  ${job}\n`).join('')}`;
}

const A = 'a: { cron: "0 1 * * *", run: x }';

describe('jobs that follow others', () => {
  it.each([
    ['a', { jobs: ['a'], on: 'success', when: 'all' }],
    ['[a, b]', { jobs: ['a', 'b'], on: 'success', when: 'all' }],
    ['{ jobs: [a, b, a], on: finish, when: any }', { jobs: ['a', 'b'], on: 'finish', when: 'any' }],
  ])('after: %s', async (written, trigger) => {
    using files = new Files();
    const job = await files.job(file(A, 'b: { every: 1h, run: x }', `j: { after: ${written}, run: x }`));
    expect(job.schedule.triggers).toEqual([{ kind: 'after', ...trigger }]);
  });

  it.each([
    ['{ after: aa, run: x }', '3:8 error jobs.j.after: there is no job "aa" | did you mean "a"?'],
    [
      '{ after: { on: finish }, run: x }',
      '3:8 error jobs.j.after: nothing says which jobs it follows | add jobs:',
    ],
    [
      '{ after: { jobs: a, on: sucess }, run: x }',
      '3:30 error jobs.j.after.on: expected one of success, failure, finish, got "sucess" | did you mean "success"?',
    ],
    [
      '{ cron: "0 1 * * *", after: a, run: x }',
      '3:27 error jobs.j.after: a job goes by "cron" or by "after", not by both | with a clock, "needs" makes it wait for other jobs; or make two jobs of it',
    ],
    ['{ after: a, jitter: 5m, run: x }', '3:18 warning jobs.j.jitter: has no effect with "after"'],
    [
      '{ after: j, run: x }',
      '3:8 error jobs.j.after: a job cannot wait for itself | remove one of these links',
    ],
    [
      '{ depends_on: a, run: x }',
      '3:8 error jobs.j.depends_on: unknown key "depends_on" | write after: to start when others end, or needs: to wait for them at its own times',
    ],
  ])('%s is a mistake', async (written, message) => {
    using files = new Files();
    expect(lines(await files.load(file(A, `j: ${written}`)))).toEqual([message]);
  });

  it.each([
    ['after: { jobs: [a-b, a_b, a-b, A.b] }', ['a-b" and "a_b', 'a-b" and "A.b'], '5:8 error jobs.j.after'],
    ['every: 1h, needs: [a_b, a-b]', ['a_b" and "a-b'], '5:19 error jobs.j.needs'],
    ['after: [a-b, a-b]', [], ''],
  ])('cannot be told apart by their variables: %s', async (written, pairs, where) => {
    using files = new Files();
    const others = ['a-b', 'a_b', 'A.b'].map((id) => `${id}: { every: 1h, run: x }`);
    expect(lines(await files.load(file(...others, `j: { ${written}, run: x }`)))).toEqual(
      pairs.map((pair) => `${where}: "${pair}" are both TSCHED_NEEDS_A_B_RESULT | rename one`),
    );
  });

  it('cannot wait for one another; each link is named with its line, the circle once', async () => {
    using files = new Files();
    const text = file(
      A,
      'b: { after: [a, d], run: x }',
      'c: { after: b, run: x }',
      'd: { after: [c, a], run: x }',
    );
    const path = files.path('jobs.yaml');
    expect(lines(await files.load(text))).toEqual([
      `3:8 error jobs.b.after: these jobs wait for one another: b after d (${path}:3), d after c (${path}:5), c after b (${path}:4) | remove one of these links`,
    ]);
  });

  it('may stand in other files, and are warned of where they rest', async () => {
    using files = new Files();
    files.write('more.yaml', file('b: { after: a, run: x }', 'c: { after: b, run: x }'));
    const text = `include: more.yaml\n${file('a: { enabled: false, every: 1h, run: x }')}`;
    const result = await files.load(text);
    expect(
      found(result).map(({ file, message }) => `${file.replace(files.directory, '')}: ${message}`),
    ).toEqual(['/more.yaml: "a" is disabled, so only its runs by hand are followed']);
  });

  it('are warned of those they need that rest', async () => {
    using files = new Files();
    const text = file('a: { enabled: false, every: 1h, run: x }', 'b: { every: 1h, needs: a, run: x }');
    expect(lines(await files.load(text))).toEqual([
      '3:19 warning jobs.b.needs: "a" is disabled, so only its runs by hand count, and those it had before | enable it, or remove it here',
    ]);
  });

  it('may be those of another file where one is named', async () => {
    using files = new Files();
    expect((await files.load(file('j: { after: [x, y], run: x }'), { jobs: ['x', 'y'] })).ok).toBe(true);
    expect(lines(await files.load(file('j: { after: some, run: x }'), { jobs: ['x', 'same'] }))).toEqual([
      '2:8 error jobs.j.after: there is no job "some" | did you mean "same"?',
    ]);
  });

  it('are checked in no time however many they are', async () => {
    using files = new Files();
    const links = Array.from(
      { length: 5000 },
      (_, n) => `j${n + 1}: { after: [j${n}, j${Math.floor(n / 2)}], run: x }`,
    );
    expect((await files.loaded(file('j0: { every: 1h, run: x }', ...links))).jobs).toHaveLength(5001);
  });
});

describe('jobs that need others', () => {
  it.each([
    ['needs: a', { jobs: ['a'], timeout: 3_600_000, failed: 'skip' }],
    [
      'needs: [a, b], needs_timeout: 10m, needs_failed: run',
      { jobs: ['a', 'b'], timeout: 600_000, failed: 'run' },
    ],
  ])('%s', async (written, needs) => {
    using files = new Files();
    const job = await files.job(file(A, 'b: { every: 1h, run: x }', `j: { every: 1h, ${written}, run: x }`));
    expect(job.needs).toEqual(needs);
  });

  it.each([
    ['{ every: 1h, needs: b, run: x }', '3:19 error jobs.j.needs: there is no job "b" | did you mean "a"?'],
    [
      '{ after: a, needs: a, run: x }',
      '3:18 error jobs.j.needs: "needs" is for jobs with a clock, and this one has "after" | name all of them in after: { jobs: […] }',
    ],
    [
      '{ every: 1h, needs: j, run: x }',
      '3:19 error jobs.j.needs: a job cannot wait for itself | remove one of these links',
    ],
    [
      '{ every: 1h, needs_timeout: 1h, run: x }',
      '3:19 warning jobs.j.needs_timeout: has no effect without "needs"',
    ],
  ])('%s is a mistake', async (written, message) => {
    using files = new Files();
    expect(lines(await files.load(file(A, `j: ${written}`)))).toEqual([message]);
  });

  it('wait for one another with those that follow', async () => {
    using files = new Files();
    const path = files.path('jobs.yaml');
    const text = file('a: { every: 1h, needs: b, run: x }', 'b: { after: a, run: x }');
    expect(lines(await files.load(text))).toEqual([
      `2:19 error jobs.a.needs: these jobs wait for one another: a needs b (${path}:2), b after a (${path}:3) | remove one of these links`,
    ]);
  });

  it('cross between processes as they are', async () => {
    using files = new Files();
    const path = files.write(
      'jobs.yaml',
      file(A, 'b: { every: 1h, needs: a, run: x }', 'c: { after: a, run: x }'),
    );
    const [here, apart] = [await loadJobFile(path, OPTIONS), await loadInChild(path, OPTIONS)];
    expect(apart.ok && apart.file.jobs).toEqual(here.ok && here.file.jobs);
    expect(here.ok && here.file.jobs[1]?.needs?.jobs).toEqual(['a']);
  });
});
