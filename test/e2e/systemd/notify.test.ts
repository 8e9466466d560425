/** What a real daemon tells systemd's side of sd_notify, by either way there is. */
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ask, infoOf, socketOf } from '../../http/support.ts';
import { directory, startDaemon, until, type Daemon } from '../../support/daemon.ts';

const program = join(import.meta.dirname, '../../fixtures/programs/notify.pl');
const isThere = (name: string): boolean => spawnSync(name, ['--version']).status === 0;
const hasPerl = isThere('perl');

/** A socket that listens, and every datagram that came, its line breaks as `|`. */
async function receiver(where: string): Promise<{ path: string; heard: () => string[] }> {
  const path = join(where, 'notify');
  const child = spawn('perl', [program, 'receive', path], { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void child.kill());
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const heard = (): string[] => text.split('\n').slice(0, -1);
  await until('the receiver', () => heard()[0] === 'ready');
  return { path, heard: () => heard().slice(1) };
}

const jobs = (every: string): string =>
  JSON.stringify({
    timezone: 'UTC',
    jobs: {
      later: { at: '2099-01-01T02:30:00Z', run: 'true' },
      sees: {
        startup: 'daemon',
        run: 'env; ls -l /proc/self/fd; ls -l /proc/$PPID/fd',
        output: { log: 'all' },
      },
      module: { startup: 'daemon', module: './task.mjs', output: { log: 'all' } },
      thread: { startup: 'daemon', module: './task.mjs', isolation: 'thread', output: { log: 'all' } },
      tick: { every, run: 'true' },
    },
  });

const task = 'export default () => console.log(Object.keys(process.env).join("\\n"));\n';

function heardBy(daemon: Daemon, heard: () => string[]) {
  return (what: string, matches: (line: string) => boolean) =>
    daemon.until(what, () => heard().find(matches));
}

/** What is read of a process that may end, or close what it has open, meanwhile. */
function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Processes that have a socket of this inode open. */
function holders(inode: string, pids: readonly number[]): number[] {
  return pids.filter((pid) => {
    const folder = `/proc/${pid}/fd`;
    const names = unlessGone(() => readdirSync(folder)) ?? [];
    return names.some((fd) => unlessGone(() => readlinkSync(join(folder, fd))) === inode);
  });
}

const ways = [
  { way: 'through the descriptor named notify', needs: 'perl', there: hasPerl },
  { way: 'through the program systemd-notify', needs: 'systemd-notify', there: isThere('systemd-notify') },
];

describe.skipIf(!hasPerl)(`a daemon under a service manager${hasPerl ? '' : ' (skipped: no perl)'}`, () => {
  for (const { way, needs, there } of ways) {
    const isPassed = needs === 'perl';
    const name = there ? way : `${way} (skipped: no ${needs})`;
    it.skipIf(!there)(`${name} says that it is up, reloads, feeds the watchdog and stops`, async () => {
      const where = directory();
      const { path, heard } = await receiver(where);
      writeFileSync(join(where, 'task.mjs'), task);
      const daemon = startDaemon({
        directory: where,
        jobs: jobs('1h'),
        args: ['--no-watch'],
        wrapper: isPassed ? ['perl', program, 'pass', path] : [],
        env: { WATCHDOG_USEC: '900000', ...(isPassed ? {} : { NOTIFY_SOCKET: path }) },
      });
      const hears = heardBy(daemon, heard);
      await daemon.ready();
      // Within the last hour of a day the next one is named by its day.
      const ready = await hears('READY', (line) => line.includes('READY=1'));
      expect(ready).toMatch(/STATUS=5 jobs, next: tick at (?:\w{3} )?\d\d:00 \(in \d+(m|s)/);
      await hears('the watchdog to be fed', (line) => line.includes('WATCHDOG=1'));
      await daemon.until('the API to open', () => infoOf(daemon).socket);
      const { text } = await ask(socketOf(daemon), '/metrics');
      expect(text).toMatch(/^tsched_watchdog_pings_total [1-9]/m);
      expect(text).toMatch(/^tsched_log_dropped_total 0$/m);

      writeFileSync(
        daemon.file,
        JSON.stringify({ jobs: { later: { at: '2099-01-01T02:30:00Z', run: 'true' } } }),
      );
      daemon.signal('SIGHUP');
      const reloading = await hears('RELOADING', (line) => line.includes('RELOADING=1'));
      expect(reloading).toMatch(/MONOTONIC_USEC=\d+/);
      const after = (): string[] => heard().slice(heard().indexOf(reloading) + 1);
      const again = await daemon.until('READY again', () => after().find((line) => line.includes('READY=1')));
      expect(again).toMatch(/STATUS=1 job, next: later at 1 Jan 2099 02:30 \(in \d+y\)/);

      expect(await daemon.stop()).toBe(0);
      expect(heard().some((line) => line.includes('STOPPING=1'))).toBe(true);
      expect(daemon.events('output').length).toBeGreaterThan(0);
    });
  }

  it('nothing it starts inherits the way there', async () => {
    const where = directory();
    const { path } = await receiver(where);
    writeFileSync(join(where, 'task.mjs'), task);
    const daemon = startDaemon({
      directory: where,
      jobs: jobs('1h'),
      wrapper: ['perl', program, 'pass', path],
      env: {
        NOTIFY_SOCKET: path,
        WATCHDOG_USEC: '60000000',
        WATCHDOG_PID: undefined,
        CREDENTIALS_DIRECTORY: '/run/credentials/x',
      },
    });
    for (const job of ['sees', 'module', 'thread'])
      await daemon.waitFor(`${job} to end`, (line) => line.event === 'run_finished' && line.job === job);
    const inode = readlinkSync(`/proc/${daemon.pid}/fd/3`);
    expect(inode).toMatch(/^socket:/);
    const own = readFileSync(`/proc/${daemon.pid}/environ`, 'latin1');
    expect(own).toMatch(/NOTIFY_SOCKET=.*WATCHDOG_USEC=.*LISTEN_PID=|LISTEN_/s);
    const seen = daemon.events('output').map(({ msg }) => msg);
    // Jobs do see their environment, and the credentials are theirs too.
    expect(seen).toContain('TSCHED_JOB_ID=sees');
    expect(seen).toContain('CREDENTIALS_DIRECTORY=/run/credentials/x');
    expect(seen.filter((line) => line === 'TSCHED_JOB_ID')).toHaveLength(2);
    expect(seen.filter((line) => /NOTIFY_SOCKET|WATCHDOG_|LISTEN_/.test(line))).toEqual([]);
    expect(seen.filter((line) => line.includes(inode))).toEqual([]);
    const household = (): number[] => daemon.family().filter((pid) => pid !== daemon.pid);
    expect(household().length).toBeGreaterThan(0);
    // One that is about to become another program is still what the daemon is.
    const told = (pid: number): boolean =>
      /NOTIFY_SOCKET|WATCHDOG_|LISTEN_/.test(
        unlessGone(() => readFileSync(`/proc/${pid}/environ`, 'latin1')) ?? '',
      );
    await daemon.until('nobody else to have it', () => holders(inode, household()).length === 0);
    await daemon.until('nobody else to be told of it', () => !household().some(told));
    expect(await daemon.stop()).toBe(0);
  });

  it('jobs get credentials by env_file and from', async () => {
    const where = directory();
    writeFileSync(join(where, 'token'), 'TOKEN=from-the-credential\n', { mode: 0o400 });
    writeFileSync(join(where, 'plain'), 'and another\n', { mode: 0o400 });
    const env_file = '${CREDENTIALS_DIRECTORY}/token';
    const env = { PLAIN: { from: '${CREDENTIALS_DIRECTORY}/plain' } };
    const uses = {
      startup: 'daemon',
      env_file,
      env,
      run: 'echo "it is $TOKEN $PLAIN"',
      output: { log: 'all' },
    };
    const daemon = startDaemon({
      directory: where,
      jobs: JSON.stringify({ jobs: { uses } }),
      env: { CREDENTIALS_DIRECTORY: where },
    });
    await daemon.waitFor('the job', ({ msg }) => msg === 'it is from-the-credential and another');
    expect(await daemon.stop()).toBe(0);
  });

  it('goes on, and says so once, where the service manager cannot be reached', async () => {
    const where = directory();
    const daemon = startDaemon({
      directory: where,
      jobs: jobs('1s'),
      env: { NOTIFY_SOCKET: join(where, 'nobody'), WATCHDOG_USEC: '900000', PATH: '/nowhere' },
    });
    const said = await daemon.waitFor('it to say so', ({ msg }) => msg.includes('service manager'));
    expect(said).toMatchObject({
      level: 'error',
      msg: 'the service manager cannot be told anything: there is no program systemd-notify',
    });
    await daemon.until('three more ticks', () => daemon.events('run_finished', 'tick').length >= 3);
    expect(await daemon.stop()).toBe(0);
    expect(daemon.lines.filter(({ msg }) => msg.includes('service manager'))).toHaveLength(1);
  });
});
