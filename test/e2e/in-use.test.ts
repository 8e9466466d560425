/** Whoever looks into the database of a daemon with another program, and closes it again, takes nothing away from it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ask, socketOf, startAsked } from '../http/support.ts';
import { historyOf } from '../support/history.ts';

const JOBS = 'jobs:\n  tick: { every: 1s, run: "true" }\n';

/** Programs that look into a database and close it. The last one that does so, as it thinks, takes the write-ahead log away. */
const LOOKS = {
  sqlite3: (database: string) => [database, 'SELECT count(*) FROM runs'],
  python3: (database: string) => [
    '-c',
    'import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); print(db.execute("SELECT count(*) FROM runs").fetchone()[0]); db.close()',
    database,
  ],
};
const look = Object.entries(LOOKS).find(([name]) => spawnSync(name, ['--version']).status === 0);
if (look === undefined) console.warn('not tested: there is neither sqlite3 nor python3');

it.skipIf(look === undefined)(
  'also when the daemon has been asked for its history, and for what it will do',
  async () => {
    const daemon = await startAsked({ jobs: JOBS });
    const ended = (): number => daemon.events('run_finished').length;
    await daemon.until('a run', () => ended() > 0);
    const place = socketOf(daemon);
    expect(await ask(place, '/api/v1/runs')).toMatchObject({ status: 200 });
    const soon = { to: new Date(Date.now() + 60_000).toISOString() };
    expect(await ask(place, '/api/v1/simulate', { method: 'POST', json: soon })).toMatchObject({
      status: 200,
    });

    const database = join(daemon.stateDirectory, 'tsched.db');
    const log = statSync(`${database}-wal`).ino;
    const [program, argumentsFor] = look ?? ['', () => []];
    expect(Number(execFileSync(program, argumentsFor(database), { encoding: 'utf8' }))).toBeGreaterThan(0);
    expect(statSync(`${database}-wal`, { throwIfNoEntry: false })?.ino).toBe(log);

    const known = ended();
    await daemon.until('more runs', () => ended() > known + 1);
    daemon.signal('SIGKILL');
    await daemon.exited;
    const recorded = historyOf(daemon.stateDirectory).runs.map(({ id }) => id);
    const told = daemon.events('attempt_started').map(({ run }) => run);
    expect(recorded).toEqual(expect.arrayContaining(told));
  },
);
