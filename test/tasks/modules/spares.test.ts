import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/engine/clock.ts';
import type { Clock } from '../../../src/engine/ports.ts';
import { readRecord } from '../../../src/tasks/exit-record.ts';
import { createSpares, startsAlike, type SpareRun, type Spares } from '../../../src/tasks/spares.ts';
import {
  createSpawner,
  type LaunchEvent,
  type LaunchRequest,
  type Spawner,
} from '../../../src/tasks/spawner.ts';
import { PATIENCE } from '../../support/patience.ts';

const fixtures = join(import.meta.dirname, '../../fixtures/modules');
const host = join(import.meta.dirname, '../../../src/tasks/module-host.ts');
const command = [process.execPath, host];
const environment = { PATH: process.env['PATH'] ?? '', INHERITED: 'yes' };

let root: string;
let waiting: string;
let spawner: Spawner;
let spares: Spares;

beforeEach(() => {
  // Longer than the path of a socket may be.
  root = mkdtempSync(join(tmpdir(), `tsched-spares-${'long'.repeat(30)}-`));
  waiting = join(root, '.spares');
  spawner = createSpawner({ environment, clock: systemClock });
  spares = createSpares({ spawner, clock: systemClock, command, directory: waiting, environment });
});

afterEach(async () => {
  await spares.close();
  await spawner.close();
  if (processesIn(waiting).length > 0) throw new Error('a spare outlived its close');
  rmSync(root, { recursive: true, force: true });
});

let runs = 0;

function runOf(
  exportName: string,
  env: Record<string, string> = {},
  request: Partial<LaunchRequest> = {},
): SpareRun {
  const directory = join(root, `run-${++runs}`);
  return {
    request: {
      argv: command,
      cwd: '/usr',
      env,
      inheritEnv: true,
      limits: {},
      outputPath: join(directory, 'attempt-1.log'),
      exitPath: join(directory, 'attempt-1.exit'),
      ...request,
    },
    order: {
      assignment: {
        path: join(fixtures, 'abuses.ts'),
        exportName,
        killSignal: 'SIGTERM',
        context: {
          jobId: 'job',
          runId: directory,
          attempt: 1,
          scheduledAt: 0,
          cause: 'manual',
          needs: {},
          params: {},
          with: directory,
        },
      },
      outcome: join(directory, 'attempt-1.result.json'),
      cwd: '/usr',
      env: { ...environment, ...env },
    },
  };
}

interface Trial {
  readonly events: readonly LaunchEvent[];
  /** Resolves to `cold`, or to how the spare's process ended. */
  readonly over: Promise<LaunchEvent | 'cold'>;
  file(name: string): string;
}

function start(run: SpareRun): Trial {
  const events: LaunchEvent[] = [];
  const { promise: over, resolve } = Promise.withResolvers<LaunchEvent | 'cold'>();
  spares.start(
    run,
    (event) => {
      events.push(event);
      if (event.kind !== 'started') resolve(event);
    },
    () => resolve('cold'),
  );
  return { events, over, file: (name) => readFileSync(join(run.request.exitPath, '..', name), 'utf8') };
}

/** The Nodes whose working directory lies in `directory`. */
function processesIn(directory: string): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0)
    .filter((pid) => {
      try {
        const node = readlinkSync(`/proc/${pid}/exe`) === realpathSync(process.execPath);
        return node && readlinkSync(`/proc/${pid}/cwd`).startsWith(`${directory}/`);
      } catch {
        return false; // gone, or another's
      }
    });
}

/** Waits until a spare has connected (its socket is removed then); gives its process id. */
async function spareReady(directory = waiting): Promise<number> {
  return vi.waitFor(
    () => {
      const [pid] = processesIn(directory);
      const ready = readdirSync(directory).some(
        (name) =>
          existsSync(join(directory, name, 'attempt-1.log')) && !existsSync(join(directory, name, 'socket')),
      );
      if (pid === undefined || !ready) throw new Error('no spare is ready');
      return pid;
    },
    { timeout: PATIENCE, interval: 5 },
  );
}

describe('a spare', () => {
  it('is made once a run has come that it would have fitted', async () => {
    expect(existsSync(waiting)).toBe(false);
    expect(await start(runOf('default')).over).toBe('cold');
    const pid = await spareReady();
    const second = start(runOf('tellsAll', { RUN: 'two' }));
    expect(await second.over).toEqual({ kind: 'exited', exitCode: 0 });
    expect(second.events[0]).toEqual({ kind: 'started', pid });
  });

  it('runs the task as if it had been started for it: environment, directory, output, exit record', async () => {
    void start(runOf('default'));
    await spareReady();
    const env = { MINE: 'x', TZ: 'Asia/Tokyo' };
    const firstRun = runOf('tellsAll', env);
    const first = start(firstRun);
    await first.over;
    const { result } = JSON.parse(first.file('attempt-1.result.json')) as { result: Record<string, unknown> };
    expect(result).toMatchObject({ cwd: '/usr', env: { ...environment, ...env }, zone: -540, argv: 2 });
    expect(Object.keys(result['env'] as object).sort()).toEqual(['INHERITED', 'MINE', 'PATH', 'TZ']);
    expect(first.file('attempt-1.log')).toContain('nearly there');
    expect(readRecord(firstRun.request.exitPath)).toEqual({ kind: 'exited', exitCode: 0 });

    await spareReady();
    const second = start(runOf('patchesGlobals'));
    await second.over;
    expect(second.file('attempt-1.log')).toBe('');
    await spareReady();
    const third = start(runOf('seesLeak'));
    await third.over;
    expect(JSON.parse(third.file('attempt-1.result.json'))).toEqual({ kind: 'succeeded', result: 'clean' });
  });

  it.each([
    ['exits7', { kind: 'exited', exitCode: 7 }],
    ['crashes', { kind: 'signalled', signal: 'SIGSEGV' }],
  ])('whose task %s ends like any process', async (exportName, ending) => {
    void start(runOf('default'));
    await spareReady();
    expect(await start(runOf(exportName)).over).toEqual(ending);
  });

  it('whose run goes on when the next daemon cleans up still has its end on record', async () => {
    void start(runOf('default'));
    const pid = await spareReady();
    const run = runOf('neverSettlesAlive');
    const { events, over } = start(run);
    await vi.waitFor(() => expect(events).toHaveLength(1), { timeout: PATIENCE, interval: 5 });
    createSpares({ spawner, clock: systemClock, command, directory: waiting, environment });
    expect(readRecord(run.request.exitPath)).toEqual({ kind: 'started', pid });
    process.kill(pid, 'SIGKILL');
    await over;
    expect(readRecord(run.request.exitPath)).toEqual({ kind: 'signalled', signal: 'SIGKILL' });
  });

  it('says so when the working directory is not there', async () => {
    void start(runOf('default'));
    await spareReady();
    const run = runOf('default');
    const trial = start({ ...run, order: { ...run.order, cwd: join(root, 'nowhere') } });
    await trial.over;
    expect(JSON.parse(trial.file('attempt-1.result.json'))).toMatchObject({
      kind: 'not_started',
      message: expect.stringContaining('nowhere'),
    });
  });

  it('that died while it waited is replaced when the next run comes', async () => {
    void start(runOf('default'));
    const pid = await spareReady();
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(readdirSync(waiting)).toEqual([]), { timeout: PATIENCE, interval: 5 });
    expect(await start(runOf('default')).over).toBe('cold');
    expect(await spareReady()).not.toBe(pid);
  });

  it('that dies before it has begun leaves the run to be launched', async () => {
    void start(runOf('default'));
    const pid = await spareReady();
    process.kill(pid, 'SIGSTOP');
    const run = runOf('default');
    const trial = start(run);
    process.kill(pid, 'SIGKILL');
    expect(await trial.over).toBe('cold');
    expect(trial.events).toEqual([]);
    expect(existsSync(run.request.exitPath)).toBe(false);
  });

  it('that is stopped leaves the run to be launched, and is ended', async () => {
    let pace = 1;
    const hurried: Clock = {
      ...systemClock,
      after: (delay, action) => systemClock.after(delay / pace, action),
    };
    spares = createSpares({ spawner, clock: hurried, command, directory: waiting, environment });
    start(runOf('default'));
    const pid = await spareReady();
    // Only now: a busy machine takes its time to start a process.
    pace = 20;
    process.kill(pid, 'SIGSTOP');
    const run = runOf('default');
    mkdirSync(join(run.request.exitPath, '..'));
    const { over, events } = start(run);
    expect(await over).toBe('cold');
    expect(events).toEqual([]);
    expect(processesIn(root)).not.toContain(pid);
  });

  it('that cannot be made is done without', async () => {
    writeFileSync(waiting, 'no directory');
    const due: (() => void)[] = [];
    const clock: Clock = { ...systemClock, after: (_, action) => (due.push(action), () => undefined) };
    spares = createSpares({ spawner, clock, command, directory: waiting, environment });
    expect(await start(runOf('default')).over).toBe('cold');
    expect(() => mkdirSync(join(waiting, 'spare'))).toThrow('ENOTDIR'); // the fault
    for (const action of due.slice(0, 1)) action(); // makes the spare
    expect(await start(runOf('default')).over).toBe('cold');
    rmSync(waiting);
  });

  it('is not used where the directory of the run holds something already', async () => {
    void start(runOf('default'));
    await spareReady();
    const run = runOf('default');
    mkdirSync(join(run.request.exitPath, '..'));
    writeFileSync(join(run.request.exitPath, '../attempt-1.log'), 'mine');
    const trial = start(run);
    expect(await trial.over).toBe('cold');
    expect(trial.file('attempt-1.log')).toBe('mine');
  });

  it.each<Partial<LaunchRequest>>([
    { user: 'nobody' },
    { group: 'nogroup' },
    { umask: 0o077 },
    { nice: 5 },
    { stdinPath: '/dev/zero' },
    { limits: { cpu: 1 } },
    { inheritEnv: false },
    { exitPath: '/tmp/x/attempt-2.exit' },
  ])('is neither used nor made for a run with %j', async (request) => {
    expect(await start(runOf('default', {}, request)).over).toBe('cold');
    expect(existsSync(waiting)).toBe(false);
  });

  it('ends when the daemon is killed', async () => {
    const program = `
      import { createSpares } from ${JSON.stringify(join(import.meta.dirname, '../../../src/tasks/spares.ts'))};
      import { createSpawner } from ${JSON.stringify(join(import.meta.dirname, '../../../src/tasks/spawner.ts'))};
      import { systemClock as clock } from ${JSON.stringify(join(import.meta.dirname, '../../../src/engine/clock.ts'))};
      const { environment, run, command, directory } = ${JSON.stringify({ environment, run: runOf('default'), command, directory: join(root, 'other') })};
      const spares = createSpares({ spawner: createSpawner({ environment, clock }), clock, command, directory, environment });
      spares.start(run, () => {}, () => {});
    `;
    const daemon = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const pid = await spareReady(join(root, 'other'));
    daemon.kill('SIGKILL');
    await once(daemon, 'exit');
    await vi.waitFor(() => expect(existsSync(`/proc/${pid}`)).toBe(false), {
      timeout: PATIENCE,
      interval: 5,
    });
  });
});

describe('an environment taken on later', () => {
  it.each([
    [{}, { A: '1' }, true],
    [{ A: '1', TZ: 'UTC' }, { TZ: 'Asia/Tokyo' }, true],
    [{}, { NODE_OPTIONS: '--no-warnings' }, false],
    [{ LANG: 'C' }, {}, false],
    [{ LANG: 'C' }, { LANG: 'C' }, true],
    [{}, { UV_THREADPOOL_SIZE: '1' }, false],
    [{}, { LD_PRELOAD: '/x.so' }, false],
  ])('%j, then %j: alike is %s', (given, wanted, alike) => {
    expect(startsAlike(given, wanted)).toBe(alike);
  });
});
