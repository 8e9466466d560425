/** Many jobs in the real daemon: all due at once run once, and it is as lean afterwards as before. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { account, directory, startDaemon } from '../../support/daemon.ts';
import { dueTogether } from '../../support/due.ts';

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
  let at = '';
  const due = (when: string): string => {
    at = when;
    const each = (n: number): string => `  due-${n}:\n    at: ${at}\n    run: ${kept.line()}\n`;
    return jobs + Array.from({ length: DUE }, (_, n) => each(n)).join('');
  };
  // Longer than the file will take, however much else this machine has to do: several times what it took just now.
  await dueTogether(daemon, due, { ahead: Math.max(10_000, 5 * (Date.now() - began)) });
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
