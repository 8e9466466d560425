/** What a daemon finds of attempts that another began, or was about to. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import type { AttemptReport, AttemptSpec, Executor, Recovery } from '../../src/engine/ports.ts';
import type { HttpTask } from '../../src/http-task.ts';
import type { Outcome } from '../../src/model.ts';
import { createExecutor } from '../../src/tasks/executor.ts';
import { readRecord } from '../../src/tasks/exit-record.ts';
import { processStartTime } from '../../src/tasks/process-group.ts';
import { BLANK, later, lives, temporaryDirectory, until } from './harness.ts';

function executorOf(directory: string): Executor {
  const executor = createExecutor({
    runsDirectory: join(directory, 'runs'),
    clock: systemClock,
    nodePath: process.execPath,
    inheritedEnvironment: process.env,
    output: 'file',
  });
  later(() => executor.close());
  return executor;
}

/** A shell line as an attempt. */
function shell(script: string): AttemptSpec {
  return { ...BLANK, task: { kind: 'run', script, shell: ['/bin/sh', '-c'] } };
}

/** A module that leaves a file `begun`, and goes on until there is one named `go`. */
function moduleIn(directory: string, isolation: 'process' | 'thread'): AttemptSpec {
  const path = join(directory, 'task.mjs');
  writeFileSync(
    path,
    `import { appendFileSync, existsSync } from 'node:fs';
     export default async ({ runId }) => {
       appendFileSync('${directory}/begun', process.pid + '\\n');
       console.log('begun');
       while (!existsSync('${directory}/go')) await new Promise((resolve) => setTimeout(resolve, 20));
       return runId;
     };`,
  );
  const task = { kind: 'module', path, exportName: 'default', with: {}, isolation } as const;
  return { ...BLANK, task };
}

interface Begun {
  readonly reports: AttemptReport[];
  readonly pid: number | undefined;
}

/** Begins an attempt, and lets go of it as a daemon that dies does. */
async function begin(directory: string, spec: AttemptSpec, isBegun: () => boolean): Promise<Begun> {
  const executor = executorOf(directory);
  const reports: AttemptReport[] = [];
  executor.start(spec, (report) => reports.push(report));
  await until('the start', () => isBegun() && reports[0]);
  await executor.close();
  const [first] = reports;
  return { reports, pid: first?.kind === 'started' ? first.pid : undefined };
}

/** Follows what was found running. */
function follow(recovery: Recovery): { outcome: Promise<Outcome>; stop: () => void } {
  if (recovery.kind !== 'running') throw new Error(`found ${JSON.stringify(recovery)}`);
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const handle = recovery.follow((report) => {
    if (report.kind === 'ended') resolve(report.outcome);
  });
  return { outcome: promise, stop: () => handle.stop({ kind: 'timed_out', after: 5 }) };
}

const WAITS = 'echo begun; touch begun; while [ ! -e go ]; do sleep 0.02; done; echo done; exit 3';

function waiting(directory: string): AttemptSpec {
  const { surroundings, ...spec } = shell(WAITS);
  return { ...spec, surroundings: { ...surroundings, cwd: directory } };
}

describe('a process that runs', () => {
  it.each([['with what the store knows'], ['though the store was told nothing']])(
    '%s is followed to its end',
    async (name) => {
      const directory = temporaryDirectory();
      const spec = waiting(directory);
      const { pid = 0 } = await begin(directory, spec, () => existsSync(join(directory, 'begun')));
      const known = name.includes('knows') ? { pid, startTime: processStartTime(pid) } : {};
      const recovery = await executorOf(directory).recover(spec, known);
      expect(recovery).toMatchObject({ kind: 'running', pid, startTime: processStartTime(pid) });
      const { outcome } = follow(recovery);
      writeFileSync(join(directory, 'go'), '');
      expect(await outcome).toEqual({ kind: 'failed', exitCode: 3 });
      expect(readFileSync(join(directory, 'runs/run/attempt-1.log'), 'utf8')).toBe('begun\ndone\n');
    },
  );

  it('is stopped with its whole group when it is to', async () => {
    const directory = temporaryDirectory();
    const spec = waiting(directory);
    const { pid = 0 } = await begin(directory, spec, () => existsSync(join(directory, 'begun')));
    const { outcome, stop } = follow(await executorOf(directory).recover(spec, {}));
    stop();
    expect(await outcome).toEqual({ kind: 'timed_out', after: 5 });
    expect(lives(pid)).toBe(false);
  });

  it('is not another’s of the same number', async () => {
    const directory = temporaryDirectory();
    const spec = waiting(directory);
    const { pid = 0 } = await begin(directory, spec, () => existsSync(join(directory, 'begun')));
    const startTime = (processStartTime(pid) ?? 0) - 1;
    writeFileSync(join(directory, 'go'), '');
    await until('its record', () => readRecord(join(directory, 'runs/run/attempt-1.exit')).kind === 'exited');
    const recovery = await executorOf(directory).recover(spec, { pid: process.pid, startTime });
    expect(recovery).toMatchObject({ kind: 'ended', outcome: { kind: 'failed', exitCode: 3 } });
    expect(Number.isInteger(recovery.kind === 'ended' && recovery.at)).toBe(true);
  });

  it('and whose supervisor was killed is followed too; how it ended nobody knows', async () => {
    const directory = temporaryDirectory();
    const spec = waiting(directory);
    const { pid = 0 } = await begin(directory, spec, () => existsSync(join(directory, 'begun')));
    const supervisor = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
    process.kill(supervisor, 'SIGKILL');
    await until('its end', () => !lives(supervisor));
    const executor = executorOf(directory);
    const { outcome } = follow(await executor.recover(spec, { pid, startTime: processStartTime(pid) }));
    writeFileSync(join(directory, 'go'), '');
    expect(await outcome).toMatchObject({ kind: 'lost' });
    expect(await executor.recover(spec, { pid })).toMatchObject({ kind: 'ended', outcome: { kind: 'lost' } });
  });
});

describe('a process that was not begun', () => {
  it.each([['nobody was asked for'], ['was asked for']])('and %s never will be', async (name) => {
    const directory = temporaryDirectory();
    const spec = shell(`touch ${directory}/begun`);
    if (name.startsWith('was')) mkdirSync(join(directory, 'runs/run'), { recursive: true });
    // As often as it is asked: a daemon may die before it could say what it found.
    for (let daemon = 0; daemon < 3; daemon += 1)
      expect(await executorOf(directory).recover(spec, {})).toEqual({ kind: 'never_begun' });
    if (name.startsWith('nobody')) return;
    const late: AttemptReport[] = [];
    executorOf(directory).start(spec, (report) => late.push(report));
    await until('its refusal', () => late[0]);
    expect(late).toEqual([{ kind: 'ended', outcome: expect.objectContaining({ kind: 'not_started' }) }]);
    expect(existsSync(join(directory, 'begun'))).toBe(false);
  });

  it('for a reason of its own has that reason', async () => {
    const directory = temporaryDirectory();
    const spec = { ...BLANK, task: { kind: 'command', argv: ['/nosuch/program'] } } as const;
    await begin(directory, spec, () => true);
    expect(await executorOf(directory).recover(spec, {})).toMatchObject({
      kind: 'ended',
      outcome: { kind: 'not_started', message: expect.stringContaining('/nosuch/program') },
    });
  });

  it('because its supervisor died over it is lost: it may have been begun', async () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, 'runs/run'), { recursive: true });
    writeFileSync(join(directory, 'runs/run/attempt-1.exit'), '');
    expect(await executorOf(directory).recover(BLANK, {})).toMatchObject({
      kind: 'ended',
      outcome: { kind: 'lost' },
    });
  });
});

describe('a module', () => {
  it.each([['of its own'], ['that was there before']])('in a process %s is followed', async (name) => {
    const directory = temporaryDirectory();
    const executor = executorOf(directory);
    const spec = moduleIn(directory, 'process');
    if (name.includes('before')) await withSpare(executor, directory, spec);
    executor.start(spec, () => undefined);
    const pid = await until(
      'its beginning',
      () => Number(readIfThere(join(directory, 'begun'))) || undefined,
    );
    expect(readlinkSync(`/proc/${pid}/fd/1`)).toBe(join(directory, 'runs/run/attempt-1.log'));
    expect(readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('spare')).toBe(name.includes('before'));
    await executor.close();
    const recovery = await executorOf(directory).recover(spec, {});
    expect(recovery).toMatchObject({ kind: 'running', pid });
    const { outcome } = follow(recovery);
    writeFileSync(join(directory, 'go'), '');
    expect(await outcome).toEqual({ kind: 'succeeded', result: 'run' });
  });

  it('in a thread is lost with its daemon', async () => {
    const directory = temporaryDirectory();
    const spec = moduleIn(directory, 'thread');
    await begin(directory, spec, () => existsSync(join(directory, 'begun')));
    for (let daemon = 0; daemon < 2; daemon += 1)
      expect(await executorOf(directory).recover(spec, {})).toMatchObject({
        kind: 'ended',
        outcome: { kind: 'lost' },
      });
  });

  it('in a thread that was not begun never will be, though it was asked for', async () => {
    const directory = temporaryDirectory();
    const spec = moduleIn(directory, 'thread');
    mkdirSync(join(directory, 'runs/run'), { recursive: true });
    for (let daemon = 0; daemon < 2; daemon += 1)
      expect(await executorOf(directory).recover(spec, {})).toEqual({ kind: 'never_begun' });
    const late: AttemptReport[] = [];
    executorOf(directory).start(spec, (report) => late.push(report));
    await until('its end', () => late.find(({ kind }) => kind === 'ended'));
    expect(late.at(-1)).toMatchObject({ kind: 'ended', outcome: { kind: 'not_started' } });
    expect(existsSync(join(directory, 'begun'))).toBe(false);
  });
});

/** Runs a module, so that a process is kept ready for the next. */
async function withSpare(executor: Executor, directory: string, spec: AttemptSpec): Promise<void> {
  writeFileSync(join(directory, 'go'), '');
  const reports: AttemptReport[] = [];
  executor.start({ ...spec, runId: 'before' }, (report) => reports.push(report));
  await until('the run before', () => reports.find(({ kind }) => kind === 'ended'));
  const spares = join(directory, 'runs/.spares');
  // It removes its socket once it has connected.
  await until('a spare', () => {
    const [spare] = existsSync(spares) ? readdirSync(spares) : [];
    return spare !== undefined && isConnected(join(spares, spare));
  });
  rmSync(join(directory, 'go'));
  rmSync(join(directory, 'begun'));
}

function isConnected(spare: string): boolean {
  return readRecord(join(spare, 'attempt-1.exit')).kind === 'started' && !existsSync(join(spare, 'socket'));
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

describe('a request', () => {
  const task: HttpTask = {
    kind: 'http',
    method: 'GET',
    url: 'http://127.0.0.1:1/',
    shownUrl: 'http://127.0.0.1:1/',
    headers: {},
    expectedStatus: [[200, 299]],
    followRedirects: false,
    secrets: [],
  };
  const over = (executor: Executor, spec: AttemptSpec): Promise<Outcome> =>
    new Promise((resolve) => {
      executor.start(spec, (report) => report.kind === 'ended' && resolve(report.outcome));
    });

  it('is lost if it was begun', async () => {
    const executor = executorOf(temporaryDirectory());
    const spec = { ...BLANK, task };
    expect(await over(executor, spec)).toMatchObject({ kind: 'not_started' });
    expect(await executor.recover(spec, {})).toEqual({
      kind: 'ended',
      outcome: { kind: 'lost', message: expect.stringContaining('whether it was answered is not known') },
    });
  });

  it('never begins once it was found not to have begun', async () => {
    const executor = executorOf(temporaryDirectory());
    await over(executor, { ...BLANK, task });
    const never = { ...BLANK, task, attempt: 2 };
    expect(await executor.recover(never, {})).toEqual({ kind: 'never_begun' });
    expect(await over(executor, never), 'by the daemon before').toEqual({
      kind: 'not_started',
      message: 'Another daemon has taken this over.',
    });
  });
});
