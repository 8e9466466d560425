/** Many jobs in the real daemon: all due at once run once, and it is as lean afterwards as before. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { account, directory, startDaemon } from '../../support/daemon.ts';

const IDLE = 10_000;
const DUE = 500;

it('500 of 10,500 jobs due at one instant all run, once each, and leave no descriptor behind', async () => {
  const where = directory();
  const kept = account(join(where, 'account'));
  const idle = Array.from(
    { length: IDLE },
    (_, n) => `  idle-${n}:\n    cron: "0 0 1 1 *"\n    run: exit 1\n`,
  );
  const jobs = `jobs:\n${idle.join('')}`;
  const began = Date.now();
  const daemon = startDaemon({
    directory: where,
    jobs,
    args: ['--max-concurrent-runs', '0'],
  });
  await daemon.ready();
  // Longer than the file will take, however much else this machine has to do: several times what it took just now.
  const horizon = Math.max(10_000, 5 * (Date.now() - began));
  const at = new Date(Math.ceil((Date.now() + horizon) / 1000) * 1000).toISOString();
  const due = Array.from({ length: DUE }, (_, n) => `  due-${n}:\n    at: ${at}\n    run: ${kept.line()}\n`);
  writeFileSync(daemon.file, jobs + due.join(''));
  await daemon.waitFor('the new set', ({ event }) => event === 'jobs_applied');
  expect(Date.now(), 'armed before they are due').toBeLessThan(Date.parse(at));
  const descriptors = () => readdirSync(`/proc/${daemon.pid}/fd`).length;
  const before = descriptors();
  await daemon.until('all runs to finish', () => daemon.events('run_finished').length >= DUE);
  const ran = kept.executions();
  expect(new Set(ran.map(({ job }) => job)).size).toBe(DUE);
  expect(ran).toHaveLength(DUE);
  expect(new Set(ran.map(({ slot }) => slot))).toEqual(new Set([at]));
  expect(daemon.events('run_finished').every(({ outcome }) => outcome === 'succeeded')).toBe(true);
  await daemon.until('descriptors as before', () => descriptors() <= before);
  // Only the daemon and the shell that starts others.
  await daemon.until('no process left of the runs', () => daemon.family().length <= 2);
  expect(await daemon.stop()).toBe(0);
});
