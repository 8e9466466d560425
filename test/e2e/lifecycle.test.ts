/** A daemon's life: it starts, is told to read its file again, and stops; and nothing of it is left. */
import { chownSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { account, directory, processOf, startDaemon, type Daemon, type Line } from '../support/daemon.ts';
import { RacingClock } from '../support/faketime.ts';

const root = join(import.meta.dirname, '../..');

function started(daemon: Daemon, job: string): Promise<Line> {
  return daemon.waitFor(`${job} to start`, (line) => line.event === 'attempt_started' && line.job === job);
}

function finished(daemon: Daemon, job: string): Promise<Line> {
  return daemon.waitFor(`${job} to end`, (line) => line.event === 'run_finished' && line.job === job);
}

/** Says `ready` in a file of the daemon's directory once it is deaf to TERM, and never ends. */
const deaf = { run: 'trap "" TERM; touch ready; while :; do sleep 1; done' };

/** Waits for a file `go` of the daemon's directory, then leaves one named `done`. */
const patient = 'while [ ! -e go ]; do sleep 0.05; done; touch done';

describe('start', () => {
  it('runs the example file as it is', async () => {
    const file = join(root, 'jobs.example.yaml');
    // Ten times as fast: its slowest job is due after a minute and ten seconds.
    const where = directory();
    const clock = new RacingClock(where, '2026-06-01T12:00:01Z', 10);
    const daemon = startDaemon({ file, directory: where, env: clock.env });
    await clock.go(daemon);
    for (const job of ['hello', 'heartbeat', 'greet', 'greeted', 'flaky', 'free-space']) {
      expect(await finished(daemon, job)).toMatchObject({ outcome: 'succeeded' });
    }
    const said = daemon.events('output').map(({ msg }) => msg);
    expect(said).toEqual(
      expect.arrayContaining(['tsched has started', expect.stringMatching(/^Hello from /)]),
    );
    expect(said.some((line) => line.includes('Hello, Ada!'))).toBe(true);
    expect(said).toContain('handed over was {"greeted":3}');
    expect(daemon.events('retry_scheduled', 'flaky').length).toBeGreaterThanOrEqual(2);
    expect(await daemon.stop('SIGINT')).toBe(0);
    expect(daemon.text).toBe('');
    expect(daemon.family()).toEqual([]);
  });

  const isRoot = process.getuid?.() === 0;
  it.each([
    ['with a home', []],
    ['without HOME', ['env', '-u', 'HOME']],
  ])('works for an ordinary user %s', async (_, wrapper) => {
    const where = directory();
    const nobody = 65_534;
    if (isRoot) chownSync(where, nobody, nobody);
    const drop = isRoot
      ? ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--no-new-privs']
      : [];
    writeFileSync(join(where, 'task.mjs'), 'export default () => process.getuid();\n');
    const book = account(join(where, 'account'));
    const jobs = {
      shell: { startup: 'daemon', run: book.line('$(id -u)') },
      module: { startup: 'daemon', module: './task.mjs' },
      thread: { startup: 'daemon', module: './task.mjs', isolation: 'thread' },
    };
    const daemon = startDaemon({
      directory: where,
      jobs: JSON.stringify({ jobs }),
      wrapper: [...wrapper, ...drop],
    });
    for (const job of Object.keys(jobs))
      expect(await finished(daemon, job)).toMatchObject({ job, outcome: 'succeeded' });
    expect(book.executions().map(({ more }) => more)).toEqual([String(isRoot ? nobody : process.getuid?.())]);
    expect(await daemon.stop()).toBe(0);
    expect(daemon.text).toBe('');
    expect(daemon.family()).toEqual([]);
  });
});

describe('stop', () => {
  it('SIGINT once: what runs may end, and no process of any kind is left', async () => {
    const where = directory();
    writeFileSync(join(where, 'task.mjs'), 'export default () => 1;\n');
    const jobs = {
      patient: { startup: 'daemon', on_shutdown: 'wait', run: patient },
      module: { every: '1s', module: './task.mjs' },
      thread: { every: '1s', module: './task.mjs', isolation: 'thread' },
    };
    const daemon = startDaemon({ directory: where, jobs: JSON.stringify({ jobs }) });
    for (const job of ['module', 'thread']) await finished(daemon, job);
    // The whole household: two helpers of the daemon's own, and a process kept ready for the next module.
    const commands = (): string =>
      daemon
        .family()
        .map((pid) => processOf(pid)?.command)
        .join('\n');
    await daemon.until('a spare process', () => commands().includes('module-host'));
    expect(commands()).toContain('tsched-spawner');
    expect(commands()).toContain('thread-host');

    daemon.signal('SIGINT');
    await daemon.waitFor('it to begin', ({ event }) => event === 'engine_stopping');
    writeFileSync(join(where, 'go'), '');
    expect(await daemon.end()).toBe(0);
    expect(await finished(daemon, 'patient')).toMatchObject({ outcome: 'succeeded' });
    expect(daemon.family()).toEqual([]);
  });

  it.each([
    ['SIGINT', 'wait'],
    ['SIGTERM', 'terminate'],
  ] as const)(
    '%s twice: now, though a job with on_shutdown: %s ignores TERM',
    async (signal, on_shutdown) => {
      const where = directory();
      const jobs = { deaf: { ...deaf, startup: 'daemon', on_shutdown, kill_after: '1h' } };
      const daemon = startDaemon({
        directory: where,
        jobs: JSON.stringify({ jobs }),
        args: ['--drain', '1h'],
      });
      const { pid } = await started(daemon, 'deaf');
      await daemon.until('its trap', () => readable(join(where, 'ready')));
      daemon.signal(signal);
      const stopping = await daemon.waitFor('it to begin', ({ event }) => event === 'engine_stopping');
      expect(stopping).toMatchObject({ active: 1 });
      expect(processOf(Number(pid))).toMatchObject({ zombie: false });
      daemon.signal(signal);
      expect(await daemon.end()).toBe(0);
      expect(await finished(daemon, 'deaf')).toMatchObject({ outcome: 'cancelled' });
      expect(daemon.family()).toEqual([]);
    },
  );

  it('SIGTERM: each job as its on_shutdown says', async () => {
    const where = directory();
    const jobs = {
      wait: { startup: 'daemon', on_shutdown: 'wait', run: patient },
      terminate: {
        startup: 'daemon',
        on_shutdown: 'terminate',
        run: 'trap "touch told; exit 3" TERM; touch ready; while :; do sleep 0.05; done',
      },
      leave: {
        startup: 'daemon',
        on_shutdown: 'leave',
        run: 'while [ ! -e later ]; do sleep 0.05; done; echo left alone > left',
      },
    };
    const daemon = startDaemon({ directory: where, jobs: JSON.stringify({ jobs }) });
    for (const job of Object.keys(jobs)) await started(daemon, job);
    const there = (name: string): boolean => readable(join(where, name));
    await daemon.until('the trap', () => there('ready'));
    daemon.signal('SIGTERM');
    expect(await finished(daemon, 'terminate')).toMatchObject({ outcome: 'cancelled' });
    expect(there('told')).toBe(true);
    expect(daemon.events('run_finished', 'wait')).toEqual([]);
    writeFileSync(join(where, 'go'), '');
    expect(await finished(daemon, 'wait')).toMatchObject({ outcome: 'succeeded' });
    // With it goes its output: whoever reads that must not have to wait for the third.
    expect(await daemon.end()).toBe(0);

    // The third is all that is left, and lives on without the daemon.
    expect(daemon.events('run_finished', 'leave')).toEqual([]);
    expect(daemon.family()).toContain(Number(daemon.events('attempt_started', 'leave')[0]?.['pid']));
    writeFileSync(join(where, 'later'), '');
    await daemon.afterwards('the job left alone to end', () => daemon.family().length === 0);
    expect(readFileSync(join(where, 'left'), 'utf8')).toBe('left alone\n');
  });

  it('a job that outlasts --drain is told to go, then made to', async () => {
    const where = directory();
    const jobs = { deaf: { ...deaf, startup: 'daemon', on_shutdown: 'wait', kill_after: '300ms' } };
    const daemon = startDaemon({
      directory: where,
      jobs: JSON.stringify({ jobs }),
      args: ['--drain', '300ms', '--log-level', 'debug'],
    });
    await daemon.until('its trap', () => readable(join(where, 'ready')));
    expect(await daemon.stop()).toBe(0);
    expect(await finished(daemon, 'deaf')).toMatchObject({ outcome: 'cancelled' });
    expect(daemon.family()).toEqual([]);
  });

  it('at any moment of a start', async () => {
    const later = [0, 30, 60, 90, 120, 150, 200, 300];
    const ends = later.map(async (delay) => {
      const where = directory();
      const book = account(join(where, 'account'));
      const jobs = Object.fromEntries(
        Array.from({ length: 20 }, (_, n) => [`job-${n}`, { startup: 'daemon', run: book.line() }]),
      );
      const daemon = startDaemon({ directory: where, jobs: JSON.stringify({ jobs }) });
      await pause(delay);
      daemon.signal('SIGTERM');
      // Before it listens to signals the system ends it.
      expect(['SIGTERM', 0]).toContain(await daemon.end());
      await daemon.afterwards('all that it started to end', () => daemon.family().length === 0);
      expect(daemon.text).toBe('');
      const ran = book.executions().map(({ job }) => job);
      expect(new Set(ran).size).toBe(ran.length);
    });
    await Promise.all(ends);
  });
});

describe('reload', () => {
  const first = { kept: { every: '1s', run: 'echo kept', output: { log: 'all' } } };

  it.each([['SIGHUP'], ['SIGUSR2']] as const)('%s puts the new set in place', async (signal) => {
    const daemon = await startDaemon({ jobs: JSON.stringify({ jobs: first }), args: ['--no-watch'] }).ready();
    const second = { ...first, added: { every: '1s', run: 'true' } };
    writeFileSync(daemon.file, JSON.stringify({ jobs: second }));
    daemon.signal(signal);
    expect(await daemon.waitFor('the news', ({ event }) => event === 'jobs_applied')).toMatchObject({
      added: ['added'],
      changed: [],
      removed: [],
      unchanged: 1,
    });
    await finished(daemon, 'added');
    expect(await daemon.stop()).toBe(0);
  });

  it('an edited file is taken over by itself; a bad one is not, and says where', async () => {
    const daemon = await startDaemon({ jobs: JSON.stringify({ jobs: first }) }).ready();
    const put = (text: string): void => {
      writeFileSync(`${daemon.file}.new`, text);
      renameSync(`${daemon.file}.new`, daemon.file);
    };
    put('jobs:\n  kept: { every: 1s, rum: echo }\n');
    const { msg } = await daemon.waitFor('the complaint', ({ msg }) => msg.includes('unknown key'));
    expect(msg).toContain(`${daemon.file}:2:`);
    const before = daemon.events('output', 'kept').length;
    await daemon.until('the old job to go on', () => daemon.events('output', 'kept').length > before);
    expect(daemon.events('jobs_applied')).toEqual([]);

    put('jobs:\n  other: { every: 1s, run: echo other, output: { log: all } }\n');
    await daemon.waitFor('the new job', ({ event, job }) => event === 'output' && job === 'other');
    expect(daemon.events('jobs_applied')).toMatchObject([{ added: ['other'], removed: ['kept'] }]);
    expect(await daemon.stop()).toBe(0);
  });
});

function readable(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}
