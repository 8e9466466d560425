import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { readHistory } from '../../src/store/sqlite/reader.ts';
import { statePaths } from '../../src/store/state-directory.ts';
import { account, startDaemon } from '../support/daemon.ts';
import { going, printed, ran, skipped, stateWith } from './past.ts';
import { bin, directory, plainEnvironment, project, tsched } from './tsched.ts';

const HOUR = 3_600_000;
const begin = Date.parse('2026-11-20T00:00:00Z');
const hour = (index: number): string => new Date(begin + index * HOUR).toISOString();

/** Enough rows for several pages and slices. */
function manyRuns(count = 1200): string {
  const runs = Array.from({ length: count }, (_, index) => ran('a', hour(index)));
  return stateWith({
    runs: [...runs, going('a', hour(-1))],
    skips: [skipped('a', hour(-2)), skipped('a', hour(3))],
  });
}

function edit(state: string, change: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(statePaths(state).database);
  change(db);
  db.close();
}

/** What every command that reads says, in one line. */
function refusals(state: string): readonly [number | null, string][] {
  const cwd = project('jobs:\n  a: { every: 1h, run: x }\n');
  return [['history'], ['logs', 'a'], ['why', 'a'], ['history', '--json']].map((args) => {
    const { code, out, err } = tsched([...args, '--state-dir', state], { cwd });
    expect(out).toBe('');
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    return [code, err];
  });
}

describe('a database that cannot be read', () => {
  it('is damaged: each command says so and what to do, and changes nothing', () => {
    const state = manyRuns();
    const { database } = statePaths(state);
    truncateSync(database, 20_480);
    const before = readFileSync(database);
    for (const [code, err] of refusals(state)) {
      expect(code).toBe(66);
      expect(err).toMatch(/is damaged: .*Nothing in it was changed; look at it with "tsched db check"/);
    }
    const { code, out } = tsched(['db', 'check', '--state-dir', state]);
    expect(code).toBe(1);
    expect(out).toMatch(/is damaged.*\n(?:.*\n)*What to do: .*\n {2}mv /);
    expect(readFileSync(database)).toEqual(before);
  });

  it('is damaged inside, where only reading finds it', () => {
    const state = manyRuns();
    const { database } = statePaths(state);
    const bytes = readFileSync(database);
    bytes.fill(0x5a, 8192, 20_480);
    writeFileSync(database, bytes);
    const checked = tsched(['db', 'check', '--state-dir', state]);
    expect(checked).toMatchObject({ code: 1, err: '' });
    const json = tsched(['db', 'check', '--json', '--state-dir', state]);
    const { sound, problems } = JSON.parse(json.out) as { sound: boolean; problems: string[] };
    expect({ code: json.code, sound, found: problems.length > 0 }).toEqual({
      code: 1,
      sound: false,
      found: true,
    });
    const { code, err } = tsched(['history', '--limit', '100000', '--state-dir', state]);
    expect([code, err.split('\n').length]).toEqual([66, 2]);
  });

  it("is no database, another program's, or of a newer tsched", () => {
    const none = stateWith({});
    writeFileSync(statePaths(none).database, 'garbage! '.repeat(1000));
    for (const [code, err] of refusals(none))
      expect([code, err]).toEqual([66, expect.stringContaining('is not an SQLite database')]);
    const foreign = stateWith({});
    edit(foreign, (db) => db.exec('PRAGMA application_id = 7'));
    for (const [code, err] of refusals(foreign))
      expect([code, err]).toEqual([66, expect.stringContaining('another program')]);
    const newer = stateWith({});
    edit(newer, (db) => db.exec('PRAGMA user_version = 99'));
    for (const [code, err] of refusals(newer))
      expect([code, err]).toEqual([66, expect.stringContaining('was written by a newer tsched')]);
    const { code, err } = tsched(['db', 'prune', '--state-dir', newer]);
    expect([code, err]).toEqual([66, expect.stringContaining('was written by a newer tsched')]);
  });

  it('is locked by another program', async () => {
    const state = manyRuns(3);
    const script = `const { DatabaseSync } = require('node:sqlite');
      const db = new DatabaseSync(process.argv[1]);
      db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM skips'); console.log('locked');
      setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ['-e', script, statePaths(state).database], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await new Promise((resolve) => holder.stdout.once('data', resolve));
      for (const [code, err] of refusals(state)) {
        expect([code, err]).toEqual([75, expect.stringContaining('is locked by another program; try again')]);
      }
      expect(tsched(['status', '--state-dir', state])).toMatchObject({
        code: 1,
        out: expect.stringContaining('is locked by another program') as string,
      });
    } finally {
      holder.kill('SIGKILL');
    }
  });

  it.runIf(process.geteuid?.() === 0)('is hidden from who asks', () => {
    const state = manyRuns(3);
    chmodSync(join(state, '..'), 0o755);
    const args = ['--reuid=65534', '--clear-groups', process.execPath, bin, 'history', '--state-dir', state];
    const child = spawnAs('setpriv', args);
    return child.then(({ code, err }) => {
      expect(code).toBe(77);
      expect(err).toMatch(
        /^tsched: .* cannot be opened: EACCES.*; its owner can; or name another directory with --state-dir\n$/,
      );
    });
  });
});

function spawnAs(program: string, args: readonly string[]): Promise<{ code: number | null; err: string }> {
  const child = spawn(program, args, {
    env: { ...plainEnvironment(), XDG_CACHE_HOME: '/nonexistent' },
    cwd: '/',
  });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, err })));
}

describe('tsched db', () => {
  it('finds a sound database sound, and none where there is none', () => {
    const state = manyRuns();
    expect(tsched(['db', 'check', '--state-dir', state])).toMatchObject({
      code: 0,
      out: `✔ ${statePaths(state).database} is sound: 1,201 runs, 2 skips\n`,
    });
    const none = tsched(['db', 'check', '--state-dir', join(directory(), 'none')]);
    expect(none).toMatchObject({ code: 66, err: expect.stringContaining('tsched start') as string });
  });

  it('backs up a database that a daemon is writing, into a file of its own', async () => {
    const where = project('');
    const ledger = account(join(where, 'ledger'));
    const jobs = `jobs:\n  tick: { every: 100ms, run: '${ledger.line().replaceAll("'", "''")}' }\n`;
    const daemon = await startDaemon({ jobs, directory: where }).ready();
    await daemon.until('five runs', () => daemon.events('run_finished').length >= 5);
    const copy = join(where, 'copy.db');
    const made = tsched(['db', 'backup', copy, '--state-dir', daemon.stateDirectory]);
    expect(made).toMatchObject({ code: 0, out: expect.stringContaining('read back and is sound') as string });
    expect(statSync(copy).mode & 0o777).toBe(0o600);
    expect(existsSync(`${copy}-wal`)).toBe(false);
    const bytes = readFileSync(copy);
    const again = tsched(['db', 'backup', copy, '--state-dir', daemon.stateDirectory]);
    expect(again).toMatchObject({
      code: 73,
      err: `tsched: ${copy} exists and is left as it is; a backup never overwrites: name another file\n`,
    });
    expect(readFileSync(copy)).toEqual(bytes);
    const history = readHistory(copy);
    const found = history.rows({ limit: 1000, statuses: ['succeeded'] }).length;
    history.close();
    expect(found).toBeGreaterThanOrEqual(5);
    // What was copied can take the place of what was.
    const other = join(directory(), 'state');
    mkdirSync(other);
    writeFileSync(join(other, 'tsched.db'), bytes);
    expect(tsched(['db', 'check', '--state-dir', other]).code).toBe(0);
    const lost = tsched(['db', 'backup', join(where, 'no/such/directory'), '--state-dir', other]);
    expect(lost).toMatchObject({ code: 73, err: expect.stringContaining('cannot write') as string });
  });

  it('prunes by count and age, with the output, and leaves what is not over', () => {
    const state = manyRuns();
    const all = readHistory(statePaths(state).database);
    const oldest = all.rows({ jobId: 'a', limit: 5000 }).flatMap((row) => ('run' in row ? [row.run] : []));
    all.close();
    const [newest, second] = oldest;
    const last = oldest.at(-2);
    if (newest === undefined || second === undefined || last === undefined) throw new Error('no runs');
    for (const run of [newest, second, last]) printed(state, run, ['x']);
    const kept = join(statePaths(state).runs, 'not-an-id');
    mkdirSync(kept);
    const pruned = tsched(['db', 'prune', '--keep', '1', '--json', '--state-dir', state]);
    expect(JSON.parse(pruned.out)).toEqual({
      removed: { runs: 1199, skips: 1 },
      left: { runs: 2, skips: 1 },
    });
    const exists = (id: string): boolean => existsSync(join(statePaths(state).runs, id));
    expect([exists(newest.id), exists(second.id), exists(last.id), existsSync(kept)]).toEqual([
      true,
      false,
      false,
      true,
    ]);
    const rest = tsched(['history', '--json', '--state-dir', state]);
    expect((JSON.parse(rest.out) as { runs: unknown[] }).runs).toMatchObject([
      { state: 'finished' },
      {},
      { state: 'running' },
    ]);
    const old = tsched(['db', 'prune', '--max-age', '1s', '--state-dir', state], {
      at: '@2027-02-01 00:00:00',
    });
    expect(old.out).toBe('removed 1 run, with their output, and 1 skip; 1 run and 0 skips are left\n');
  });

  it('prunes beside a daemon that goes on as if nothing were', async () => {
    const where = project('');
    const state = join(where, 'state');
    stateWith({ runs: Array.from({ length: 3000 }, (_, index) => ran('old', hour(index))) }, state);
    const jobs = 'jobs:\n  tick: { every: 100ms, run: "true" }\n';
    const daemon = await startDaemon({ jobs, directory: where }).ready();
    await daemon.until('two runs', () => daemon.events('run_finished').length >= 2);
    const { code, out } = tsched(['db', 'prune', '--keep', '5', '--state-dir', state]);
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringMatching(/^removed (?:2,99[5-9]|3,\d{3}) runs/) as string,
    });
    const before = daemon.events('run_finished').length;
    await daemon.until('more runs', () => daemon.events('run_finished').length >= before + 3);
    expect(daemon.events('store_degraded')).toEqual([]);
    expect(tsched(['db', 'check', '--state-dir', state]).code).toBe(0);
  });
});
