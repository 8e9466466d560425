/** What is kept of history and output, through restarts of the daemon and changes of the file. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readHistory } from '../../src/store/sqlite/reader.ts';
import { directory, startDaemon, type Daemon } from '../support/daemon.ts';

function directories({ stateDirectory }: Daemon): string[] {
  return readdirSync(join(stateDirectory, 'runs'))
    .filter((name) => name !== '.spares')
    .sort();
}

function rows({ stateDirectory }: Daemon): string[] {
  const history = readHistory(join(stateDirectory, 'tsched.db'));
  try {
    return history.rows({ limit: 100 }).flatMap((row) => ('run' in row ? [row.run.id] : []));
  } finally {
    history.close();
  }
}

const kept = { startup: 'daemon', run: 'echo said', output: { keep: 2 } };
const none = { startup: 'daemon', run: 'echo said', output: { keep: 0 } };

it('keeps output as the job says through restarts, and no longer than the row of its run', async () => {
  const where = directory();
  const start = async (): Promise<Daemon> => {
    const jobs = JSON.stringify({ jobs: { kept, none } });
    const daemon = await startDaemon({ directory: where, jobs, args: ['--no-watch'] }).ready();
    await daemon.until('both runs', () => daemon.events('run_finished').length === 2);
    return daemon;
  };
  for (let life = 0; life < 3; life += 1) expect(await (await start()).stop()).toBe(0);
  const daemon = await start();
  await daemon.until('the two newest directories to be left', () => directories(daemon).length === 2);
  const ofKept = daemon.events('run_finished', 'kept').map(({ run }) => run ?? '');
  expect(directories(daemon)).toContain(ofKept[0]);
  expect(rows(daemon)).toHaveLength(8);

  writeFileSync(daemon.file, JSON.stringify({ history: { keep: 1 }, jobs: { kept, none } }));
  daemon.signal('SIGHUP');
  await daemon.until('the older rows to go', () => rows(daemon).length === 2);
  await daemon.until('the older output to go', () => directories(daemon).length === 1);
  expect(directories(daemon)).toEqual(ofKept);
  expect(await daemon.stop()).toBe(0);
});
