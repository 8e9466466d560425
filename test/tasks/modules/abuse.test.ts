/** FAULTS F63–F70: whatever a module task does, it ends as the right outcome, in a process and in a thread. */
import { describe, expect, it } from 'vitest';
import type { Json, Outcome } from '../../../src/model.ts';
import { bare, cancelled, timedOut, useBench, type Isolation } from './support.ts';

const held = useBench();

type Expected = Partial<Record<keyof Outcome | 'result' | 'message' | 'stack' | 'signal', unknown>>;

interface Abuse {
  readonly name: string;
  readonly file?: string;
  readonly exportName?: string;
  /** What it does to a bare Node: exit code, or signal. */
  readonly bare: number | string;
  readonly outcome: Expected;
  /** Where a thread differs. */
  readonly inThread?: Expected;
}

const has = (text: string): unknown => expect.stringContaining(text);
const threw = (message: string): Expected => ({ kind: 'threw', message: has(message) });

const abuses: readonly Abuse[] = [
  // F63
  {
    name: 'throws at import',
    file: 'throws-at-import.ts',
    bare: 1,
    outcome: { ...threw('TypeError: at import'), stack: has('throws-at-import.ts:1') },
  },
  {
    name: 'throws at once',
    exportName: 'throwsNow',
    bare: 1,
    outcome: { ...threw('RangeError: thrown at once'), stack: has('abuses.ts') },
  },
  {
    name: 'throws later',
    exportName: 'throwsLater',
    bare: 1,
    outcome: threw('thrown later (because of: the cause)'),
  },
  { name: 'rejects with a text', exportName: 'rejectsWithText', bare: 1, outcome: threw('only a text') },
  {
    name: 'throws an error that throws',
    exportName: 'throwsHostile',
    bare: 1,
    outcome: threw('cannot be described'),
  },
  {
    name: 'leaves a rejection unheard',
    exportName: 'rejectsUnheard',
    bare: 1,
    outcome: threw('nobody listens'),
  },
  { name: 'throws in a timer', exportName: 'throwsInTimer', bare: 1, outcome: threw('thrown in a timer') },
  // F64
  {
    name: 'never settles',
    exportName: 'neverSettles',
    bare: 0,
    outcome: threw('no result: the promise never settled'),
  },
  {
    name: 'never finishes its import',
    file: 'never-imports.mjs',
    bare: 0,
    outcome: threw('no result: the promise never settled'),
  },
  // F66
  { name: 'exits with 0', exportName: 'exits0', bare: 0, outcome: threw('process.exit(0) called') },
  { name: 'exits with 7', exportName: 'exits7', bare: 7, outcome: threw('process.exit(7) called') },
  { name: 'exits at import', file: 'exits-at-import.cjs', bare: 0, outcome: threw('process.exit(0) called') },
  {
    name: 'aborts',
    exportName: 'aborts',
    bare: 'SIGABRT',
    outcome: { kind: 'killed', signal: 'SIGABRT' },
    inThread: threw('not supported in workers'),
  },
  { name: 'crashes', exportName: 'crashes', bare: 'SIGSEGV', outcome: { kind: 'killed', signal: 'SIGSEGV' } },
  // F68
  {
    name: 'rejects after its end',
    exportName: 'rejectsAfterEnd',
    bare: 1,
    outcome: { kind: 'succeeded', result: 'done' },
  },
  {
    name: 'throws in its exit handler',
    exportName: 'exitHandlerThrows',
    bare: 1,
    outcome: { kind: 'succeeded', result: 'done' },
  },
  // F70
  { name: 'returns a function', exportName: 'returnsFunction', bare: 0, outcome: threw('a function') },
  { name: 'returns a cycle', exportName: 'returnsCycle', bare: 0, outcome: threw('circular') },
  { name: 'returns 100 MB', exportName: 'returnsLarge', bare: 0, outcome: threw('104857602 bytes') },
  // Mistakes
  {
    name: 'has no such export',
    exportName: 'nope',
    bare: 1,
    outcome: threw('has no export "nope". It exports "aborts"'),
  },
  {
    name: 'exports an object',
    exportName: 'notAFunction',
    bare: 1,
    outcome: threw('is no function but an object'),
  },
  { name: 'has an enum', file: 'enum.ts', bare: 1, outcome: threw('write a constant object') },
  { name: 'is broken TypeScript', file: 'broken.ts', bare: 1, outcome: threw('broken.ts:2)') },
  { name: 'is broken JavaScript', file: 'broken.mjs', bare: 1, outcome: threw('broken.mjs:2)') },
  { name: 'imports without extension', file: 'extensionless.ts', bare: 1, outcome: threw('add ".ts"') },
  {
    name: 'imports a package that is not there',
    file: 'missing-package.ts',
    bare: 1,
    outcome: threw("'no-such-package'"),
  },
  {
    name: 'does not exist',
    file: 'no-such-file.ts',
    bare: 1,
    outcome: { kind: 'not_started', message: has('no module') },
  },
];

describe.each<Isolation>(['process', 'thread'])('in a %s, a task that', (isolation) => {
  it.each(abuses)(
    '$name',
    async ({ file = 'abuses.ts', exportName = 'default', bare: fault, outcome, inThread }) => {
      const { status, signal } = bare(file, exportName);
      expect(signal ?? status).toBe(fault);
      const ended = await held.bench.run({ file, exportName, isolation });
      expect(ended).toMatchObject((isolation === 'thread' ? inThread : undefined) ?? outcome);
    },
  );

  it.each(['endlessLoop', 'badRegex', 'waitsForever', 'sleeps', 'neverSettlesAlive'])(
    '%s is ended by its time-out (F64, F65)',
    async (exportName) => {
      const run = held.bench.start({ exportName, isolation, spec: { killAfter: 200 } });
      if (exportName !== 'neverSettlesAlive') await run.says('ing\n');
      run.handle.stop(timedOut);
      expect(await run.ended).toEqual(timedOut);
    },
  );

  it('is stuck in a system call is ended too', async () => {
    const run = held.bench.start({ exportName: 'blocksInSystemCall', isolation, spec: { killAfter: 100 } });
    await run.says('blocking');
    run.handle.stop(timedOut);
    expect(await run.ended).toEqual(timedOut);
    // and the next one is served as if nothing had been
    expect(await held.bench.run({ isolation, with: 1 })).toEqual({ kind: 'succeeded', result: 1 });
  });

  it('is killed ends at once', async () => {
    const run = held.bench.start({ exportName: 'ignoresAbort', isolation });
    await run.says('listening');
    run.handle.stop(timedOut);
    await run.says('so what');
    run.handle.kill(cancelled);
    expect(await run.ended).toEqual(timedOut);
  });

  it('listens to its signal has time to clean up', async () => {
    const run = held.bench.start({ exportName: 'endsOnAbort', isolation });
    await run.says('listening');
    run.handle.stop(cancelled);
    expect(await run.ended).toEqual(cancelled);
    expect(run.log()).toContain('aborted: AbortError');
  });

  it('leaks its heap is ended at limits.memory (F67)', async () => {
    expect(bare('abuses.ts', 'leaksHeap', ['--max-old-space-size=48'])).toMatchObject({ signal: 'SIGABRT' });
    const ended = await held.bench.run({
      exportName: 'leaksHeap',
      isolation,
      surroundings: { limits: { memory: 48 * 2 ** 20 } },
    });
    const expected =
      isolation === 'process' ? { kind: 'killed', signal: 'SIGABRT', hint: has('48 MiB') } : threw('48 MiB');
    expect(ended).toMatchObject(expected);
  });

  it('patches globals and writes to its environment changes nothing for the next (F69)', async () => {
    expect(await held.bench.run({ exportName: 'patchesGlobals', isolation })).toEqual({
      kind: 'succeeded',
      result: 'patched',
    });
    expect(await held.bench.run({ exportName: 'seesLeak', isolation })).toEqual({
      kind: 'succeeded',
      result: 'clean',
    });
  });

  it('keeps Node alive ends when it has its result', async () => {
    expect(await held.bench.run({ exportName: 'staysAlive', isolation })).toEqual({
      kind: 'succeeded',
      result: 'done',
    });
  });

  it.each([
    ['compiled.cjs', 'default', 'compiled'],
    ['compiled.cjs', 'named', 'named'],
    ['plain.cjs', 'default', 1],
  ])('is CommonJS works (%s, %s)', async (file, exportName, result) => {
    expect(await held.bench.run({ file, exportName, isolation })).toEqual({ kind: 'succeeded', result });
  });

  it('gets hostile arguments as they are', async () => {
    const hostile = JSON.parse(
      '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"\\u0000\\n\\u2028":"\\u202e\\ud83d\\ude00","deep":[[[[[[]]]]]],"quote":"\'\\"$(id)`"}',
    ) as Json;
    const ended = await held.bench.run({ isolation, with: hostile });
    expect(ended).toEqual({ kind: 'succeeded', result: hostile });
    expect(JSON.stringify((ended as { result: Json }).result)).toBe(JSON.stringify(hostile));
  });

  it('has large arguments gets them whole', async () => {
    const large = 'x'.repeat(60_000);
    expect(await held.bench.run({ isolation, with: large })).toEqual({ kind: 'succeeded', result: large });
  });

  it('says much loses nothing of it, even when it exits in the middle', async () => {
    const much = held.bench.start({ exportName: 'talks', isolation });
    expect(await much.ended).toEqual({ kind: 'succeeded' });
    expect(much.log()).toMatch(/^0 y/u);
    expect(much.log()).toContain('199999 y');
    expect(much.log()).toMatch(/the last line\n$/u);
    const little = held.bench.start({ exportName: 'talksAndExits', isolation });
    expect(await little.ended).toMatchObject({ kind: 'threw' });
    expect(little.log()).toMatch(/^line 0\n.*line 999\nto stderr\n$/su);
  });
});
