import { describe, expect, it } from 'vitest';
import type { Store } from '../../src/engine/ports.ts';
import type { RunRecord, SkipRecord } from '../../src/model.ts';

/** A run of job `a` whose slot is `scheduledAt`. */
export function runOf(id: string, scheduledAt: number, change: Partial<RunRecord> = {}): RunRecord {
  return {
    id,
    jobId: 'a',
    scheduledAt,
    cause: 'schedule',
    claimedAt: scheduledAt,
    state: 'claimed',
    attempts: [],
    ...change,
  };
}

export function skipOf(scheduledAt: number, change: Partial<SkipRecord> = {}): SkipRecord {
  return {
    jobId: 'a',
    scheduledAt,
    through: scheduledAt,
    count: 1,
    reason: 'misfire',
    at: scheduledAt,
    ...change,
  };
}

/** What every driver of the Store port must do. */
export function conformance(name: string, open: () => Promise<Store>): void {
  describe(`store: ${name}`, () => {
    it('lets each slot be claimed once', async () => {
      const store = await open();
      expect(
        await store.claim([runOf('1', 100), runOf('2', 200), runOf('3', 100, { jobId: 'b' })], []),
      ).toEqual([true, true, true]);
      expect(await store.claim([runOf('4', 100), runOf('5', 300)], [])).toEqual([false, true]);
      expect(await store.history({ jobId: 'a' })).toMatchObject([
        { run: { id: '5' } },
        { run: { id: '2' } },
        { run: { id: '1' } },
      ]);
      await store.close();
    });

    it('lets only one of two claims in one call have the slot', async () => {
      const store = await open();
      expect(await store.claim([runOf('1', 100), runOf('2', 100)], [])).toEqual([true, false]);
      await store.close();
    });

    it('never refuses a manual run, and does not let it stand for a slot', async () => {
      const store = await open();
      await store.claim([runOf('1', 100)], []);
      expect(
        await store.claim([runOf('2', 100, { cause: 'manual' }), runOf('3', 900, { cause: 'manual' })], []),
      ).toEqual([true, true]);
      expect(await store.watermarks()).toEqual(new Map([['a', 100]]));
      expect(await store.claim([runOf('4', 900)], [])).toEqual([true]);
      await store.close();
    });

    it('keeps the newest state of a run, and the newest slot that succeeded', async () => {
      const store = await open();
      await store.claim([runOf('1', 100), runOf('2', 200), runOf('3', 300)], []);
      const finished = {
        state: 'finished',
        finishedAt: 500,
        outcome: { kind: 'succeeded', exitCode: 0 },
      } as const;
      await store.save(runOf('2', 200, finished));
      await store.save(runOf('1', 100, finished));
      await store.save(runOf('3', 300, { ...finished, outcome: { kind: 'failed', exitCode: 1 } }));
      expect(store.previousSuccess('a')).toBe(200);
      expect(store.previousSuccess('b')).toBeUndefined();
      expect(await store.history({ limit: 1 })).toEqual([
        { run: runOf('3', 300, { ...finished, outcome: { kind: 'failed', exitCode: 1 } }) },
      ]);
      await store.close();
    });

    it('keeps skips among the runs, and a watermark for each job', async () => {
      const store = await open();
      await store.claim(
        [runOf('1', 100)],
        [skipOf(200, { through: 400, count: 3 }), skipOf(50, { jobId: 'b' })],
      );
      expect(await store.watermarks()).toEqual(
        new Map([
          ['a', 400],
          ['b', 50],
        ]),
      );
      expect(await store.history({ jobId: 'a' })).toEqual([
        { skip: skipOf(200, { through: 400, count: 3 }) },
        { run: runOf('1', 100) },
      ]);
      await store.close();
    });
  });
}
