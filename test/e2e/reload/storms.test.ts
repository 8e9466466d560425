/** Reloads that come too often, too early or too late (F86, F87), and files that anyone may write (F88). */
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, it } from 'vitest';
import { account, directory, startDaemon } from '../../support/daemon.ts';
import { errors, expectNothingLostNorTwice, jobFile, moreOf, rename, ticking } from './support.ts';

function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** In MB. */
function residentSize(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Whether a process has a handler of its own for a signal. */
function catches(pid: number, signal: number): boolean {
  const mask = /^SigCgt:\s+(\w+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

/** Children that read a job file. */
function readers(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter(Boolean)
    .map(Number);
  return children.filter((child) => {
    try {
      return readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('config-child');
    } catch {
      return false; // gone meanwhile
    }
  });
}

const HANG_UP = 1;

describe.concurrent('a storm', () => {
  it('of 200 edits a second ends with the last one; nothing is lost or leaks (F86)', async ({
    expect,
    onTestFinished,
  }) => {
    const started = await ticking({ later: onTestFinished });
    const { daemon, file } = started;
    rename(daemon.file, file('tick', 'first'));
    await moreOf(started, 'first', 1);
    const before = { fds: descriptors(daemon.pid), size: residentSize(daemon.pid) };
    const begun = daemon.events('jobs_applied').length;
    for (let n = 0; n < 600; n += 1) {
      if (n % 2 === 0) rename(daemon.file, file('tick', `edit-${n}`));
      else writeFileSync(daemon.file, file('tick', `edit-${n}`));
      await pause(5);
    }
    rename(daemon.file, file('tick', 'last'));
    await moreOf(started, 'last', 2);
    expect(daemon.events('jobs_applied').length - begun, 'gathered').toBeLessThan(60);
    expect(errors(daemon)).toEqual([]);
    await expectNothingLostNorTwice(started);
    await daemon.until('descriptors as before', () => descriptors(daemon.pid) <= before.fds);
    expect(residentSize(daemon.pid) - before.size, 'MB more than before').toBeLessThan(60);
  });

  it('of 500 SIGHUPs: they are gathered, the log is one, no slot is lost (F86)', async ({
    expect,
    onTestFinished,
  }) => {
    const started = await ticking({ later: onTestFinished, args: ['--no-watch'] });
    const { daemon, file } = started;
    const before = descriptors(daemon.pid);
    rename(daemon.file, file('tick', 'first'));
    for (let n = 0; n < 250; n += 1) daemon.signal('SIGHUP');
    rename(daemon.file, file('tick', 'last'));
    for (let n = 0; n < 250; n += 1) {
      daemon.signal('SIGHUP');
      if (n % 10 === 0) await pause(1);
    }
    // Without watching, only a signal can have told it.
    await moreOf(started, 'last', 2);
    expect(daemon.events('jobs_applied').length).toBeLessThanOrEqual(2);
    expect(errors(daemon)).toEqual([]);
    await expectNothingLostNorTwice(started);
    await daemon.until('descriptors as before', () => descriptors(daemon.pid) <= before);
  });
});

describe.concurrent('SIGHUP at a bad moment (F87)', () => {
  it('while it starts: it starts', async ({ expect, onTestFinished }) => {
    const where = directory(onTestFinished);
    const kept = account(join(where, 'account'));
    // Large enough that reading it takes a while.
    const idle = Array.from(
      { length: 10_000 },
      (_, n) => `  j${n}:\n    cron: "0 0 1 1 *"\n    run: exit 1\n`,
    );
    const jobs = jobFile(kept, ['tick']) + idle.join('');
    const daemon = startDaemon({ directory: where, jobs, later: onTestFinished });
    await daemon.until('a process that hears signals', () => catches(daemon.pid, HANG_UP));
    let sent = 0;
    while (daemon.events('engine_started').length === 0) {
      for (let n = 0; n < 10; n += 1) daemon.signal('SIGHUP');
      sent += 10;
      await pause(5);
    }
    expect(sent, 'signals before it was ready').toBeGreaterThan(5);
    await moreOf({ daemon, kept }, 'tick', 2);
    expect(daemon.events('engine_started')).toHaveLength(1);
    expect(errors(daemon)).toEqual([]);
    expect(await daemon.stop()).toBe(0);
  });

  it('while it stops: it stops, and says nothing more', async ({ expect, onTestFinished }) => {
    const slow = '  slow:\n    run: sleep 0.5\n    cron: "* * * * * *"\n    on_shutdown: wait\n';
    const { daemon, file } = await ticking({ later: onTestFinished });
    rename(daemon.file, `${file('tick')}${slow}`);
    await daemon.waitFor('the slow job', ({ event, job }) => event === 'attempt_started' && job === 'slow');
    writeFileSync(daemon.file, file('tick', 'too-late'));
    daemon.signal('SIGHUP');
    daemon.signal('SIGTERM');
    const ends: unknown[] = [];
    const ended = (how: unknown): void => void ends.push(how);
    daemon.exited.then(ended, ended);
    // To its very last moment.
    while (ends.length === 0) {
      daemon.signal('SIGHUP');
      await pause(1);
    }
    expect(await daemon.end()).toBe(0);
    expect(daemon.text).toBe('');
    expect(errors(daemon)).toEqual([]);
    expect(daemon.lines.at(-1)?.event).toBe('engine_stopped');
  });

  it('SIGTERM while a large set is read and armed: it stops at once', async ({ expect, onTestFinished }) => {
    const { daemon, file } = await ticking({ later: onTestFinished });
    const idle = Array.from(
      { length: 20_000 },
      (_, n) => `  j${n}:\n    cron: "0 0 1 1 *"\n    run: exit ${n}\n`,
    );
    rename(daemon.file, file('tick') + idle.join(''));
    await daemon.until('the process that reads it', () => readers(daemon.pid).length > 0);
    const [reader = 0] = readers(daemon.pid);
    expect(await daemon.stop()).toBe(0);
    expect(daemon.text).toBe('');
    expect(daemon.events('jobs_applied')).toEqual([]);
    expect(daemon.lines.at(-1)?.event).toBe('engine_stopped');
    await daemon.until(
      'all of it to be gone',
      () => !existsSync(`/proc/${reader}`) && daemon.family().length === 0,
    );
  });
});

describe.concurrent('a job file that everyone may write (F88)', () => {
  const isRoot = process.geteuid?.() === 0;

  it('is refused to root at the start; to others it is said', async ({ expect, onTestFinished }) => {
    const where = directory(onTestFinished);
    const kept = account(join(where, 'account'));
    writeFileSync(join(where, 'jobs.yaml'), '');
    chmodSync(join(where, 'jobs.yaml'), 0o666);
    const daemon = startDaemon({ directory: where, jobs: jobFile(kept, ['tick']), later: onTestFinished });
    if (isRoot) {
      expect(await daemon.end()).toBe(78);
      expect(daemon.text).toMatch(/jobs\.yaml:1:1: error: everyone may write this file/);
      expect(kept.executions()).toEqual([]);
      return;
    }
    const { level, msg } = await daemon.waitFor('a warning', ({ msg }) => /everyone may write/.test(msg));
    expect(level).toBe('warning');
    expect(msg).toContain('jobs.yaml:1:1');
    await moreOf({ daemon, kept }, 'tick', 1);
  });

  it('is not taken over by root while it runs', async ({ expect, onTestFinished }) => {
    const started = await ticking({ later: onTestFinished });
    const { daemon, file } = started;
    chmodSync(daemon.file, 0o666);
    writeFileSync(daemon.file, file('tick', 'planted'));
    if (isRoot) {
      const refusal = await daemon.waitFor('the refusal', ({ msg }) => /everyone may write/.test(msg));
      expect(refusal.level).toBe('error');
      await moreOf(started, 'tick', 2);
      expect(started.kept.executions('planted')).toEqual([]);
      chmodSync(daemon.file, 0o600);
      // A change of the mode alone is no edit; whoever mended it says so.
      daemon.signal('SIGHUP');
    }
    await moreOf(started, 'planted', 1);
    await expectNothingLostNorTwice(started);
  });
});
