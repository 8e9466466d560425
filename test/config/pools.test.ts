import { describe, expect, it } from 'vitest';
import { formatDiagnostics } from '../../src/config/diagnostic.ts';
import { loadInChild } from '../../src/config/apart.ts';
import { Files, found, lines, OPTIONS } from './support.ts';

function jobs(...keys: string[]): string {
  return `jobs:\n  j:\n    every: 1h\n    run: x\n${keys.map((key) => `    ${key}\n`).join('')}`;
}

describe('pools and who uses them', () => {
  it('are told by their sizes, of all files', async () => {
    using files = new Files();
    files.write('more.yaml', 'pools: { license: 1 }\njobs: { k: { every: 1h, run: x, pool: license } }\n');
    const file = await files.loaded(
      `include: more.yaml\npools: { database: 2 }\n${jobs('pool: { name: database, slots: 2, max_wait: 10m }')}`,
    );
    expect(file.warnings).toEqual([]);
    expect(file.pools).toEqual({ database: 2, license: 1 });
    expect(file.jobs.map(({ policy }) => policy.pool)).toEqual([
      { name: 'database', slots: 2, maxWait: 600_000 },
      { name: 'license', slots: 1 },
    ]);
  });

  it('come from defaults, where a job does not say none', async () => {
    using files = new Files();
    const text = `pools: { database: 2 }\ndefaults: { pool: database }\n${jobs()}  k: { every: 1h, run: x, pool: none }\n`;
    const { jobs: all } = await files.loaded(text);
    expect(all.map(({ policy }) => policy.pool)).toEqual([{ name: 'database', slots: 1 }, undefined]);
  });

  it('come back from a process of their own as they were', async () => {
    using files = new Files();
    const text = `pools: { database: 2 }\n${jobs('pool: database')}`;
    const file = await files.loaded(text);
    const apart = await loadInChild(files.path('jobs.yaml'), OPTIONS);
    expect(apart).toMatchObject({ ok: true, file: { pools: file.pools, jobs: file.jobs } });
  });

  it('may stand in the file of a daemon, for jobs that are added to it', async () => {
    using files = new Files();
    const pools = { database: 2 };
    expect((await files.job(jobs('pool: database'), { pools })).policy.pool).toEqual({
      name: 'database',
      slots: 1,
    });
    expect(lines(await files.load(`pools: { database: 3 }\n${jobs('pool: database')}`, { pools }))).toEqual([
      '1:10 error pools.database: pools stand in the job file of the daemon | put it there',
    ]);
  });
});

describe('mistakes with pools', () => {
  it.each([
    ['unknown', 'pool: databse', 'error jobs.j.pool: there is no pool "databse" | did you mean "database"?'],
    ['no name', 'pool: { slots: 1 }', 'error jobs.j.pool: nothing says which pool | add name:'],
    [
      'no slots',
      'pool: { name: database, slots: 0 }',
      'error jobs.j.pool.slots: expected a whole number from 1 to 1000000, got 0',
    ],
  ])('%s', async (_, key, said) => {
    using files = new Files();
    const result = await files.load(`pools: { database: 2 }\n${jobs(key)}`);
    expect(lines(result).map((line) => line.replace(/^\S+ /, ''))).toContain(said);
  });

  it('names both lines where a job takes more than there is', async () => {
    using files = new Files();
    const result = await files.load(`pools:\n  database: 2\n${jobs('pool: { name: database, slots: 3 }')}`);
    const [problem] = found(result);
    expect(problem).toMatchObject({
      line: 7,
      path: 'jobs.j.pool',
      message: 'it takes 3 slots, but the pool "database" has 2',
      related: { line: 2, column: 3, message: 'its size is here' },
    });
    const shown = formatDiagnostics(found(result), result.ok ? new Map() : result.texts, { color: false });
    expect(shown).toContain('database: 2');
  });

  it('a pool that nobody uses, and one that is there twice', async () => {
    using files = new Files();
    files.write('more.yaml', 'pools: { database: 1 }\njobs: { k: { every: 1h, run: x } }\n');
    expect(
      lines(
        await files.load(`include: more.yaml\npools: { database: 2, idle: 1 }\n${jobs('pool: database')}`),
      ),
    ).toEqual([
      expect.stringContaining('the pool "database" is in'),
      '2:23 warning pools.idle: no job uses the pool "idle" | write pool: idle in a job or in defaults',
    ]);
  });

  it('a name that the daemon has for its own bounds', async () => {
    using files = new Files();
    expect(lines(await files.load(`pools: { _runs: 2 }\n${jobs()}`))).toEqual([
      '1:10 error pools._runs: "_runs" is not a pool name',
    ]);
  });
});
