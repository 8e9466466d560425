import { existsSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import { loadJobFileApart, loadInChild } from '../../src/config/apart.ts';
import { loadJobFile, type LoadResult } from '../../src/config/load.ts';
import { Files, OPTIONS } from './support.ts';
import { PATIENCE } from '../support/patience.ts';

const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Shanghai'];

function manyJobs(count: number): string {
  const jobs = Array.from(
    { length: count },
    (_, n) =>
      `  job-${n}:\n    cron: "${n % 60} ${n % 24} * * *"\n    timezone: ${ZONES[n % 4]}\n    description: Job ${n}\n    run: /bin/x --number ${n}\n`,
  );
  return `defaults: { timeout: 1h }\njobs:\n${jobs.join('')}  m: { every: 1h, module: ./m.ts, with: { a: [1, null] } }\n`;
}

/** Messages of a result that must be a failure. */
function messages(result: LoadResult): string[] {
  if (result.ok) throw new Error('expected a failure');
  return result.errors.map(({ message }) => message);
}

describe('loading apart', () => {
  it('gives what loading in place gives', async () => {
    using files = new Files();
    const path = files.write('jobs.yaml', manyJobs(600));
    const [apart, here] = [await loadInChild(path, OPTIONS), await loadJobFile(path, OPTIONS)];
    if (!apart.ok || !here.ok) throw new Error('both must load');
    expect({ ...apart.file }).toEqual({ ...here.file });
    const [first, second] = [apart.file.jobs[0], apart.file.jobs[240]];
    expect(first?.schedule).toBe(second?.schedule);
    expect(first?.policy).toBe(apart.file.jobs[599]?.policy);
  });

  it('gives the same diagnostics, frames and all', async () => {
    using files = new Files();
    const path = files.write('jobs.yaml', `${manyJobs(400)}  bad: { evry: 1h }\n`);
    expect(await loadJobFileApart(path, OPTIONS)).toEqual(await loadJobFile(path, OPTIONS));
  });

  it('takes the environment along, but only for variables', async () => {
    using files = new Files();
    const path = files.write('jobs.yaml', 'jobs:\n  j: { every: 1h, run: x, cwd: "/${A}" }\n');
    const options = { ...OPTIONS, environment: { A: 'from-here', NODE_OPTIONS: '--no-such-option' } };
    expect(await loadInChild(path, options)).toMatchObject({
      ok: true,
      file: { jobs: [{ surroundings: { cwd: '/from-here' } }] },
    });
  });

  it('reads files with includes apart, however short', async () => {
    using files = new Files();
    files.write('more.yaml', manyJobs(10));
    const path = files.write('jobs.yaml', 'include: more.yaml\n');
    expect(await loadJobFileApart(path, OPTIONS)).toMatchObject({ ok: true, file: { jobs: { length: 11 } } });
  });

  it('of 100,000 jobs leaves the loop free in between', async () => {
    using files = new Files();
    const path = files.write('jobs.yaml', manyJobs(100_000));
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const result = await loadJobFileApart(path, OPTIONS);
    delay.disable();
    expect(result).toMatchObject({ ok: true, file: { jobs: { length: 100_001 } } });
    // Not a limit on time: a loop that was held up throughout would not have turned so often.
    expect(delay.count).toBeGreaterThan(100);
  });

  it('that needs more memory than it may have is a diagnostic', async () => {
    using files = new Files();
    const path = files.write('jobs.yaml', manyJobs(30_000));
    const result = await loadInChild(path, OPTIONS, { heap: 24 });
    expect(messages(result)).toEqual(['reading it took more than 24 MiB of memory']);
  });

  it('that takes too long is a diagnostic', async () => {
    using files = new Files();
    const path = files.write('jobs.yaml', manyJobs(50_000));
    expect(messages(await loadInChild(path, OPTIONS, { timeout: 30 }))).toEqual([
      'reading it was ended from outside, or took more than 0.03 s',
    ]);
  });

  it('can be called off', async () => {
    using files = new Files();
    const path = files.write('jobs.yaml', manyJobs(50_000));
    const abort = new AbortController();
    const loading = loadInChild(path, OPTIONS, { signal: abort.signal });
    abort.abort();
    expect(messages(await loading)).toEqual(['loading was called off']);
  });
});

describe('a file made to hurt (F81)', () => {
  // In a child with a small heap: whoever expands one of these dies of it.
  const small = { heap: 192, timeout: PATIENCE };

  it('an alias bomb', async () => {
    using files = new Files();
    const levels = Array.from(
      { length: 30 },
      (_, n) => `  l${n + 1}: &l${n + 1} [${Array(10).fill(`*l${n}`).join(', ')}]`,
    );
    const path = files.write('jobs.yaml', `x:\n  l0: &l0 [lol, lol]\n${levels.join('\n')}\njobs: {}\n`);
    expect(messages(await loadInChild(path, OPTIONS, small))).toContain(
      'aliases make this file far larger than it is',
    );
  });

  it('merge keys doubled over and over', async () => {
    using files = new Files();
    const levels = Array.from(
      { length: 60 },
      (_, n) => `  - &m${n + 1} { <<: [*m${n}, *m${n}], k${n}: *m${n} }`,
    );
    const path = files.write('jobs.yaml', `x:\n  - &m0 { a: 1 }\n${levels.join('\n')}\njobs: {}\n`);
    expect(messages(await loadInChild(path, OPTIONS, small)).length).toBeGreaterThan(0);
  });

  it('100,000 brackets', async () => {
    using files = new Files();
    const path = files.write('jobs.yaml', `jobs: ${'['.repeat(100_000)}\n`);
    expect(messages(await loadInChild(path, OPTIONS, small))).toEqual(['nested more than 64 levels deep']);
  });

  it('deep block mappings, plain and not', async () => {
    using files = new Files();
    const deep = Array.from({ length: 2000 }, (_, n) => `${' '.repeat(n)}a:`).join('\n');
    for (const head of ['', '&x ']) {
      const path = files.write('jobs.yaml', `jobs: {}\nx: ${head}\n${deep.replaceAll(/^/gm, ' ')}\n`);
      expect(messages(await loadInChild(path, OPTIONS, small))).toContain('nested more than 64 levels deep');
    }
  });

  it('100 MB', async () => {
    using files = new Files();
    const path = files.path('jobs.yaml');
    writeFileSync(path, Buffer.alloc(100 * 1024 * 1024, 'jobs: {}\n'));
    expect(existsSync(path)).toBe(true);
    expect(messages(await loadInChild(path, OPTIONS, small))).toEqual([
      'the file has 100.0 MiB, more than the limit of 32.0 MiB',
    ]);
  });

  it('more jobs than may be', async () => {
    using files = new Files();
    const result = await files.load(manyJobs(20), { maxJobs: 10 });
    expect(messages(result)).toEqual(['more than 10 jobs']);
  });

  it('a key written 50,000 times', async () => {
    using files = new Files();
    const path = files.write('jobs.yaml', `# "\njobs:\n${'  &a j: { every: 1h, run: x }\n'.repeat(50_000)}`);
    expect(messages(await loadInChild(path, OPTIONS, { timeout: PATIENCE })).length).toBe(49_999);
  });
});
