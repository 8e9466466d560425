/** Module tasks through the executor: what they are given, spares between runs, code that changes, users, the end. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { Json } from '../../../src/model.ts';
import { readRecord } from '../../../src/tasks/exit-record.ts';
import { Bench, processesIn, useBench, type Isolation } from './support.ts';
import { PATIENCE } from '../../support/patience.ts';

const held = useBench({ INHERITED: 'yes', TZ: 'UTC' });
const root = process.geteuid?.() === 0;

/** Waits until a spare is ready, so that the next run will take it. */
async function spareReady(bench: Bench): Promise<void> {
  const spares = join(bench.runsDirectory, '.spares');
  await vi.waitFor(
    () => {
      const ready = readdirSync(spares).filter((name) => existsSync(join(spares, name, 'attempt-1.log')));
      expect(
        ready.filter((name) => readRecord(join(spares, name, 'attempt-1.exit')).kind === 'started'),
      ).toHaveLength(1);
      expect(ready.filter((name) => existsSync(join(spares, name, 'socket')))).toHaveLength(0);
    },
    { timeout: PATIENCE, interval: 5 },
  );
}

describe.each<Isolation>(['process', 'thread'])('in a %s', (isolation) => {
  it('a task is given all there is to know', async () => {
    const run = held.bench.start({
      exportName: 'tellsAll',
      isolation,
      with: { a: [1] },
      surroundings: { env: { MINE: '1' } },
      spec: { attempt: 3, cause: 'retry', previousSuccessAt: 0, with: { b: 'given' } },
    });
    const ended = (await run.ended) as { result: Record<string, Json> };
    expect(ended.result).toMatchObject({
      jobId: 'fixture',
      runId: run.spec.runId,
      attempt: 3,
      scheduledAt: '2026-10-25T01:30:00.000Z',
      previousSuccessAt: '1970-01-01T00:00:00.000Z',
      cause: 'retry',
      with: { a: [1], b: 'given' },
      cwd: held.bench.directory,
      env: {
        INHERITED: 'yes',
        MINE: '1',
        TSCHED_JOB_ID: 'fixture',
        TSCHED_ATTEMPT: '3',
        TSCHED_CAUSE: 'retry',
      },
    });
    expect(run.log()).toBe(
      '[debug] a detail {"n":1}\n[warning] a warning {}\n[progress] 42 %\n[progress] nearly there\n',
    );
  });

  it('each run loads the code as it is now (F71): edited, swapped by link, gone', async () => {
    const { bench } = held;
    const directory = join(bench.directory, `code-${isolation}`);
    mkdirSync(directory);
    const file = join(directory, 'task.mjs');
    const write = (path: string, n: number): void => {
      writeFileSync(join(directory, path.replace('task', 'part')), `export const n = ${n};`);
      writeFileSync(
        path.startsWith('/') ? path : join(directory, path),
        `import { n } from './${path.replace('task', 'part').split('/').at(-1)}'; export default () => n;`,
      );
    };
    write('task.mjs', 1);
    expect(await bench.run({ file, isolation })).toEqual({ kind: 'succeeded', result: 1 });
    write('task.mjs', 2);
    expect(await bench.run({ file, isolation })).toEqual({ kind: 'succeeded', result: 2 });
    write('task3.mjs', 3);
    symlinkSync('task3.mjs', join(directory, 'link'));
    renameSync(join(directory, 'link'), file);
    expect(await bench.run({ file, isolation })).toEqual({ kind: 'succeeded', result: 3 });
    rmSync(file);
    expect(await bench.run({ file, isolation })).toMatchObject({ kind: 'not_started' });
  });

  it('a directory that is not there is named', async () => {
    const cwd = join(held.bench.directory, 'nowhere');
    const ended = await held.bench.run({ isolation, surroundings: { cwd } });
    expect(ended).toMatchObject({ kind: 'not_started', message: expect.stringContaining(cwd) });
  });

  it.runIf(root)('a task that is to run as another user does, and its result comes back', async () => {
    const file = join(held.bench.directory, `user-${isolation}.mjs`);
    writeFileSync(file, 'export default () => ({ uid: process.getuid(), cwd: process.cwd() });');
    // Proof that it is another user: this module lies where nobody may look.
    const refused = await held.bench.run({ file, isolation, surroundings: { user: 'nobody', cwd: '/' } });
    expect(refused).toMatchObject({ kind: 'not_started', message: expect.stringContaining('EACCES') });
    const open = join(tmpdir(), `tsched-open-${process.pid}-${isolation}.mjs`);
    writeFileSync(open, 'export default () => process.getuid();', { mode: 0o644 });
    try {
      const ran = await held.bench.run({ file: open, isolation, surroundings: { user: 'nobody', cwd: '/' } });
      expect(ran).toEqual({ kind: 'succeeded', result: 65534 });
    } finally {
      rmSync(open);
    }
  });
});

describe('a spare process', () => {
  it('takes the second run; nothing of one run is seen by the next', async () => {
    const { bench } = held;
    await bench.run({ exportName: 'patchesGlobals', surroundings: { env: { FIRST: '1' } } });
    await spareReady(bench);
    const second = bench.start({
      exportName: 'tellsAll',
      surroundings: { env: { TZ: 'Asia/Tokyo' }, cwd: '/usr' },
    });
    const { result } = (await second.ended) as { result: Record<string, Json> };
    expect(result).toMatchObject({
      cwd: '/usr',
      zone: -540,
      env: { INHERITED: 'yes', TZ: 'Asia/Tokyo', TSCHED_RUN_ID: second.spec.runId },
    });
    expect(Object.keys(result['env'] as object)).not.toContain('FIRST');
    expect(second.log()).toContain('nearly there');
    expect(readdirSync(second.directory).sort()).toEqual([
      'attempt-1.exit',
      'attempt-1.log',
      'attempt-1.result.json',
    ]);
    await spareReady(bench);
    const third = bench.start({ exportName: 'seesLeak' });
    expect(await third.ended).toEqual({ kind: 'succeeded', result: 'clean' });
    expect(third.log()).toBe('');
  });

  it('knows code that was edited while it waited', async () => {
    const { bench } = held;
    const file = join(bench.directory, 'edited.ts');
    writeFileSync(file, 'export default (): number => 1;');
    await bench.run({ file });
    await spareReady(bench);
    writeFileSync(file, 'export default (): number => 2;');
    expect(await bench.run({ file })).toEqual({ kind: 'succeeded', result: 2 });
  });

  it('is stopped like any process', async () => {
    await held.bench.run({});
    await spareReady(held.bench);
    const run = held.bench.start({ exportName: 'endsOnAbort' });
    await run.says('listening');
    run.handle.stop({ kind: 'cancelled', by: 'operator' });
    expect(await run.ended).toEqual({ kind: 'cancelled', by: 'operator' });
    expect(run.log()).toContain('aborted');
  });
});

describe('the thread host', () => {
  it('that a task crashes takes its other threads with it, which says so, and is started again', async () => {
    const sleeper = held.bench.start({ exportName: 'sleeps', isolation: 'thread' });
    await sleeper.says('sleeping');
    const crasher = held.bench.start({ exportName: 'crashes', isolation: 'thread' });
    const lost = { kind: 'lost', message: expect.stringContaining('SIGSEGV, with 2 threads') };
    expect(await crasher.ended).toMatchObject(lost);
    expect(await sleeper.ended).toMatchObject(lost);
    expect(await held.bench.run({ isolation: 'thread', with: 1 })).toEqual({ kind: 'succeeded', result: 1 });
  });

  it('is another where the directory of that name is another', async () => {
    const { bench } = held;
    const current = join(bench.directory, 'current');
    for (const release of ['release-1', 'release-2']) {
      mkdirSync(join(bench.directory, release));
      rmSync(current, { force: true });
      symlinkSync(release, current);
      const outcome = await bench.run({
        exportName: 'tellsAll',
        isolation: 'thread',
        surroundings: { cwd: current },
      });
      expect(outcome).toMatchObject({ result: { cwd: join(realpathSync(bench.directory), release) } });
    }
  });

  it('gives up its place to a process where a task wants what threads share', async () => {
    const { bench } = held;
    const threads = await bench.run({
      exportName: 'tellsAll',
      isolation: 'thread',
      surroundings: { env: { TZ: 'Asia/Tokyo' } },
    });
    expect(threads).toMatchObject({ kind: 'succeeded', result: { zone: -540 } });
    const limited = bench.start({ isolation: 'thread', surroundings: { limits: { open_files: 512 } } });
    expect((await limited.ended).kind).toBe('succeeded');
    expect(limited.reports[0]).toMatchObject({ kind: 'started', pid: expect.any(Number) });
  });
});

it('an outcome that cannot be written is told as that', async () => {
  const { bench } = held;
  const spec = { runId: 'unwritable' };
  mkdirSync(join(bench.runsDirectory, spec.runId, 'attempt-1.result.json'), { recursive: true });
  expect(await bench.run({ spec })).toMatchObject({
    kind: 'threw',
    message: expect.stringContaining('could not be written'),
  });
});

describe('the end', () => {
  it('leaves no process: neither spare nor thread host', async () => {
    const bench = new Bench();
    await bench.run({});
    await bench.run({ isolation: 'thread' });
    await spareReady(bench);
    expect(processesIn(bench.directory).length).toBeGreaterThan(1);
    await bench.executor.close();
    await vi.waitFor(() => expect(processesIn(bench.directory)).toEqual([]), {
      timeout: PATIENCE,
      interval: 5,
    });
    rmSync(bench.directory, { recursive: true });
  });
});
