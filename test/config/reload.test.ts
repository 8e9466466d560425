import { describe, expect, it } from 'vitest';
import type { LoadedFile } from '../../src/config/load.ts';
import { decideReload } from '../../src/config/reload.ts';
import { Files } from './support.ts';

async function withJobs(count: number, id = 'j'): Promise<LoadedFile> {
  using files = new Files();
  const jobs = Array.from({ length: count }, (_, n) => `  ${id}${n}: { every: 1h, run: x }\n`);
  return files.loaded(count === 0 ? 'jobs: {}\n' : `jobs:\n${jobs.join('')}`);
}

describe('decideReload', () => {
  it('does nothing when the content is the same', async () => {
    const current = await withJobs(3);
    expect(decideReload(current, { ok: true, file: { ...current, jobs: [] } })).toEqual({
      kind: 'unchanged',
    });
  });

  it('applies a new set', async () => {
    const file = await withJobs(4);
    expect(decideReload(await withJobs(3), { ok: true, file })).toEqual({ kind: 'apply', file });
  });

  it('keeps the old set when the file is gone or wrong (F72, F75)', async () => {
    using files = new Files();
    const current = await withJobs(3);
    expect(decideReload(current, await files.load('jobs:\n  a: {}\n'))).toEqual({
      kind: 'keep',
      reason: 'the job file has 2 errors; the jobs loaded before stay',
    });
    const gone = {
      ok: false,
      errors: [],
      warnings: [],
      sources: [],
      watched: [],
      stamps: {},
      texts: new Map(),
      incomplete: true,
      missing: true,
    } as const;
    expect(decideReload(current, gone)).toMatchObject({
      kind: 'keep',
      reason: expect.stringContaining('gone'),
    });
  });

  it.each([
    [10, 4, '6 of 10 jobs are no longer in the job file; was it cut off?'],
    [10, 5, undefined],
    [10, 0, '10 of 10 jobs are no longer in the job file; was it cut off?'],
    [9, 1, undefined],
  ])('of %i jobs to %i says loudly: %s (F74)', async (before, after, alarm) => {
    const file = await withJobs(after);
    const decision = decideReload(await withJobs(before), { ok: true, file });
    expect(decision).toEqual({ kind: 'apply', file, ...(alarm === undefined ? {} : { alarm }) });
  });

  it('counts jobs that were exchanged as lost', async () => {
    expect(decideReload(await withJobs(10, 'a'), { ok: true, file: await withJobs(10, 'b') })).toHaveProperty(
      'alarm',
    );
  });
});
