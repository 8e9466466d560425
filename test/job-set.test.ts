import { describe, expect, it } from 'vitest';
import { JobSet } from '../src/job-set.ts';
import { MemoryStore } from '../src/store/memory.ts';
import { FakeClock } from './support/fake-clock.ts';
import { job } from './support/jobs.ts';

const OPTIONS = { environment: { WHO: 'me' }, hostTimezone: 'UTC', now: 0 };
const REPLACE = { directory: '/srv', replace: true };
const KEEP = { directory: '/srv', replace: false };

async function daemon(
  store = new MemoryStore(),
  environment: Readonly<Record<string, string>> = OPTIONS.environment,
  file = [job('filed', { every: 1000 })],
) {
  const set = new JobSet({
    store,
    clock: new FakeClock('2026-01-01T00:00:00Z'),
    file,
  });
  const refused = await set.takeUp({ ...OPTIONS, environment });
  return { set, store, refused, ids: () => set.jobs.map(({ id }) => id) };
}

const text = (id: string, more = ''): string => `jobs: { ${id}: { every: 5m, run: "true"${more} } }`;

describe('jobs added at run time', () => {
  it('stand beside those of the file, and are there for the next daemon', async () => {
    const first = await daemon();
    expect(await first.set.add({ text: text('a'), ...KEEP }, OPTIONS)).toEqual({
      kind: 'added',
      added: ['a'],
      changed: [],
    });
    expect(first.ids()).toEqual(['filed', 'a']);
    const next = await daemon(first.store);
    expect(next.ids()).toEqual(['filed', 'a']);
    expect(next.set.jobs.at(-1)?.surroundings.cwd).toBe('/srv');
    expect(await next.set.remove('a')).toEqual({ kind: 'removed' });
    expect(await next.set.remove('a')).toEqual({ kind: 'unknown' });
    expect((await daemon(first.store)).ids()).toEqual(['filed']);
  });

  it('change nothing when added again, however often and at once', async () => {
    const { set, ids } = await daemon();
    const results = await Promise.all(
      Array.from({ length: 10 }, () => set.add({ text: text('a'), ...KEEP }, OPTIONS)),
    );
    expect(results.map(({ kind }) => kind).sort()).toEqual(['added', ...Array(9).fill('unchanged')]);
    expect(ids()).toEqual(['filed', 'a']);
  });

  it('take the place of others only when asked to', async () => {
    const { set, ids } = await daemon();
    await set.add({ text: text('a'), ...KEEP }, OPTIONS);
    const other = `jobs: { a: { every: 1h, run: "true" }, filed: { every: 1h, run: "true" }, b: { every: 1h, run: "true" } }`;
    expect(await set.add({ text: other, ...KEEP }, OPTIONS)).toEqual({
      kind: 'conflict',
      inFile: ['filed'],
      added: ['a'],
    });
    expect(ids()).toEqual(['filed', 'a']);
    expect(await set.add({ text: other, ...REPLACE }, OPTIONS)).toEqual({
      kind: 'added',
      added: ['b'],
      changed: ['a', 'filed'],
    });
    expect(ids()).toEqual(['a', 'filed', 'b']);
    await set.remove('filed');
    expect(ids()).toEqual(['filed', 'a', 'b']);
    expect(set.isAdded('filed')).toBe(false);
  });

  it('are refused with the words of the job file, and then nothing is added', async () => {
    const { set, ids } = await daemon();
    const wrong = `jobs:\n  a: { every: 5m, run: "true" }\n  b: { evry: 5m, run: "true" }\n`;
    expect(await set.add({ text: wrong, ...KEEP }, OPTIONS)).toMatchObject({
      kind: 'invalid',
      problem: { errors: [{ line: 3, message: 'unknown key "evry"' }] },
    });
    expect(ids()).toEqual(['filed']);
  });

  it('do not wait for one another with those of the file, neither when one is removed nor after a start', async () => {
    const file = [
      job('f', { after: ['b'] }),
      job('b', { after: ['a'] }),
      job('a', { every: 1 }),
      job('g', { after: ['f'] }),
    ];
    const store = new MemoryStore();
    const { set } = await daemon(store, {}, file);
    const options = { ...OPTIONS, jobs: file.map(({ id }) => id) };
    await set.add({ text: text('f'), ...REPLACE }, options);
    const follower = 'jobs: { a: { after: g, run: "true" } }';
    expect(await set.add({ text: follower, ...REPLACE }, options)).toMatchObject({ kind: 'added' });
    expect(await set.remove('f')).toMatchObject({
      kind: 'circle',
      message: expect.stringContaining('f after b (jobs.yaml:1), b after a (jobs.yaml:1)'),
    });
    expect(await set.remove('a')).toEqual({ kind: 'removed' });
    expect(await set.add({ text: follower.replace('g,', 'b,'), ...REPLACE }, options)).toMatchObject({
      kind: 'invalid',
      problem: {
        errors: [{ path: 'jobs.a', message: expect.stringContaining('a after b (added), b after a') }],
      },
    });
    const document = JSON.stringify({ jobs: { a: { after: 'g', run: 'true' } } });
    await store.setAdded('a', { document, directory: '/', addedAt: 0 });
    await store.setAdded('f', undefined);
    const next = new JobSet({ store, clock: new FakeClock('2026-01-01T00:00:00Z'), file });
    expect(await next.takeUp(options)).toMatchObject([
      { jobId: 'a', error: { message: expect.stringContaining('a after g (added)') } },
    ]);
    expect(next.isAdded('a')).toBe(false);
  });

  it('that cannot be loaded any more do not take the others with them, and can be removed', async () => {
    const { set, store } = await daemon();
    await set.add({ text: text('a', ', env: { WHO: "${WHO}" }'), ...KEEP }, OPTIONS);
    await set.add({ text: text('b'), ...KEEP }, OPTIONS);
    const next = await daemon(store, {});
    expect(next.ids()).toEqual(['filed', 'b']);
    expect(next.refused).toMatchObject([{ jobId: 'a', error: { file: '/srv/added job' } }]);
    expect(await next.set.remove('a')).toEqual({ kind: 'removed' });
    expect((await daemon(store, {})).refused).toEqual([]);
  });
});
