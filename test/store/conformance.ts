import { describe, expect, it } from 'vitest';
import type { Store } from '../../src/engine/ports.ts';
import type { Join } from '../../src/join.ts';
import type { Message, Told } from '../../src/message.ts';
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

export function messageOf(id: string, change: Partial<Extract<Message, { kind: 'notice' }>> = {}): Message {
  return { kind: 'notice', id, jobId: 'a', at: 9, to: 'ops', notice: 'failure', timezone: 'UTC', ...change };
}

/** How a driver is opened anew. `again` gives what the next daemon would find of what a store was told; it closes it. */
export interface Driver {
  readonly open: () => Promise<Store>;
  readonly again: (store: Store) => Promise<Store>;
}

/** A run that somebody asked for, and gave something along. */
const BY_HAND = { cause: 'manual', with: { to: ['a'], n: 1 } } as const;

/** What every driver of the Store port must do. */
export function conformance(name: string, { open, again }: Driver): void {
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
      await store.place({ placed: new Map([['a', { schedule: 's', from: 0 }]]), gone: [] });
      await store.claim([runOf('1', 100)], []);
      expect(
        await store.claim([runOf('2', 100, { cause: 'manual' }), runOf('3', 900, { cause: 'manual' })], []),
      ).toEqual([true, true]);
      expect(await store.places()).toEqual(new Map([['a', { schedule: 's', from: 100 }]]));
      expect(await store.claim([runOf('4', 900)], [])).toEqual([true]);
      await store.close();
    });

    it('keeps what a run held and waited for, and what a skipped slot waited for', async () => {
      const store = await open();
      const pool = { name: 'database', slots: 2 };
      const waited = { limit: 'database', since: 90, heldBy: ['b', 'c'] };
      await store.claim(
        [runOf('1', 100, { pool, waited, state: 'waiting' })],
        [skipOf(200, { detail: 'database' })],
      );
      const next = await again(store);
      expect(await next.unfinished()).toEqual([runOf('1', 100, { pool, waited, state: 'waiting' })]);
      expect(await next.history({ jobId: 'a' })).toContainEqual({
        skip: skipOf(200, { detail: 'database' }),
      });
      await next.close();
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
      const next = await again(store);
      expect(next.previousSuccess('a')).toBe(200);
      expect(await next.history({ limit: 1 })).toEqual([
        { run: runOf('3', 300, { ...finished, outcome: { kind: 'failed', exitCode: 1 } }) },
      ]);
      await next.close();
    });

    it('keeps skips among the runs, and moves places on by both', async () => {
      const store = await open();
      const placed = new Map(['a', 'b', 'c'].map((id) => [id, { schedule: id, from: 60 }]));
      await store.place({ placed, gone: [] });
      await store.claim(
        [runOf('1', 100)],
        [skipOf(200, { through: 400, count: 3 }), skipOf(50, { jobId: 'b' })],
      );
      const places = new Map([
        ['a', { schedule: 'a', from: 400 }],
        ['b', { schedule: 'b', from: 60 }],
        ['c', { schedule: 'c', from: 60 }],
      ]);
      expect(await store.places()).toEqual(places);
      const next = await again(store);
      expect(await next.places()).toEqual(places);
      expect(await next.history({ jobId: 'a' })).toEqual([
        { skip: skipOf(200, { through: 400, count: 3 }) },
        { run: runOf('1', 100) },
      ]);
      await next.close();
    });

    it('forgets the place of a job that is gone, but not which slots were claimed', async () => {
      const store = await open();
      await store.place({ placed: new Map([['a', { schedule: 's', from: 50 }]]), gone: [] });
      await store.claim([runOf('1', 100)], []);
      await store.place({ placed: new Map(), gone: ['a', 'unknown'] });
      expect(await store.places()).toEqual(new Map());
      expect(await store.claim([runOf('2', 100)], [])).toEqual([false]);
      await store.place({ placed: new Map([['a', { schedule: 't', from: 20 }]]), gone: [] });
      expect(await store.places()).toEqual(new Map([['a', { schedule: 't', from: 20 }]]));
      await store.close();
    });

    it('does not let a place pass by a slot that still waits, and tells what is decided beyond it', async () => {
      let store = await open();
      await store.place({ placed: new Map([['a', { schedule: 's', from: 0 }]]), gone: [] });
      await store.claim(
        [runOf('1', 100)],
        [skipOf(300), skipOf(400, { through: 500, count: 2 })],
        new Map([['a', 200]]),
      );
      const beyond = {
        schedule: 's',
        from: 199,
        decided: [
          [300, 300],
          [400, 500],
        ],
      };
      expect((await store.places()).get('a')?.from).toBe(199);
      store = await again(store);
      expect(await store.places()).toEqual(new Map([['a', beyond]]));
      expect(await store.claim([runOf('2', 200), runOf('3', 600)], [])).toEqual([true, true]);
      store = await again(store);
      expect(await store.places()).toEqual(new Map([['a', { schedule: 's', from: 600 }]]));
      await store.close();
    });

    it('keeps pauses until they are lifted', async () => {
      const store = await open();
      await store.pause('a', { since: 5, until: 9, reason: 'a – "b"' });
      await store.pause('b', { since: 5 });
      await store.pause('b', { since: 6 });
      await store.pause('c', { since: 5 });
      await store.pause('c', undefined);
      const pauses = new Map([
        ['a', { since: 5, until: 9, reason: 'a – "b"' }],
        ['b', { since: 6 }],
      ]);
      expect(await store.pauses()).toEqual(pauses);
      const next = await again(store);
      expect(await next.pauses()).toEqual(pauses);
      await next.close();
    });

    it('keeps added jobs until they are removed', async () => {
      const store = await open();
      const job = { document: '{"jobs":{"a":{}}}', directory: '/srv', addedAt: 7 };
      await store.setAdded('a', job);
      await store.setAdded('b', job);
      await store.setAdded('b', { ...job, addedAt: 8 });
      await store.setAdded('c', job);
      await store.setAdded('c', undefined);
      const added = new Map([
        ['a', job],
        ['b', { ...job, addedAt: 8 }],
      ]);
      expect(await store.added()).toEqual(added);
      const next = await again(store);
      expect(await next.added()).toEqual(added);
      await next.close();
    });

    it('knows by its key what was asked for: at once, and with the claim of its run for a day', async () => {
      const store = await open();
      const request = (key: string, at: number) => ({ key, what: `run ${key}`, runId: key, at });
      const day = 86_400_000;
      for (const key of ['a', 'b']) {
        store.keepRequest(request(key, 5));
        expect(store.request(key, 5)).toEqual(request(key, 5));
        await store.claim([runOf(key, 100, { cause: 'manual' })], []);
      }
      expect(store.request('a', 6 + day)).toBeUndefined();
      store.keepRequest(request('a', 7));
      store.keepRequest(request('c', 8));
      await store.claim([runOf('again', 100, { cause: 'manual' })], []);
      const next = await again(store);
      expect(next.request('a', 5 + day)).toEqual(request('a', 7));
      expect(next.request('b', 5 + day)).toEqual(request('b', 5));
      expect(next.request('c', 5 + day)).toEqual(request('c', 8));
      expect(next.request('b', 6 + day)).toBeUndefined();
      expect(next.request('d', 5)).toBeUndefined();
      await next.close();
    });

    it('lets each slot of a follower have one run, in whatever order they come, and keeps what it followed', async () => {
      const store = await open();
      await store.place({ placed: new Map([['a', { schedule: 's', from: 500 }]]), gone: [] });
      const upstream = [{ jobId: 'x', runId: '0', outcome: 'succeeded', result: [1] }] as const;
      const follower = { cause: 'dependency', upstream } as const;
      const claim = (id: string, slot: number) => store.claim([runOf(id, slot, follower)], []);
      expect(await claim('1', 600)).toEqual([true]);
      expect(await claim('2', 100)).toEqual([true]);
      expect(await claim('3', 600)).toEqual([false]);
      expect(await claim('4', 100)).toEqual([false]);
      const next = await again(store);
      expect(await next.unfinished()).toEqual([runOf('1', 600, follower), runOf('2', 100, follower)]);
      expect(await next.claim([runOf('5', 100, follower)], [])).toEqual([false]);
      await next.close();
    });

    it('knows how jobs ended last; of runs by hand, if they succeeded', async () => {
      const store = await open();
      const end = (kind: 'succeeded' | 'lost') =>
        ({
          state: 'finished',
          finishedAt: 500,
          outcome: kind === 'lost' ? { kind, message: 'x' } : { kind },
        }) as const;
      const byHand = { cause: 'manual' } as const;
      const all = [
        runOf('1', 100, end('succeeded')),
        runOf('2', 200, end('lost')),
        runOf('3', 300),
        runOf('4', 250, { ...byHand, ...end('lost') }),
        runOf('5', 100, { jobId: 'b', ...end('lost') }),
        runOf('6', 100, { jobId: 'b', ...byHand, ...end('succeeded') }),
        runOf('7', 100, { jobId: 'c', ...end('lost') }),
      ];
      await store.claim(
        all.map(({ id, jobId, scheduledAt, cause }) => runOf(id, scheduledAt, { jobId, cause })),
        [],
      );
      for (const run of all) await store.save(run);
      const latest = await store.latest(['a', 'b', 'unknown']);
      expect(latest.map(({ id }) => id).toSorted()).toEqual(['2', '6']);
      await store.close();
    });

    it('keeps what is known of slots of followers until it is over', async () => {
      const store = await open();
      const join = (jobId: string, scheduledAt: number, state: Join['state']): Join => ({
        jobId,
        scheduledAt,
        state,
        upstream: [{ jobId: 'x', outcome: 'skipped' }],
        at: 7,
      });
      await store.join([join('a', 1, 'open'), join('a', 2, 'open'), join('b', 1, 'due')]);
      await store.join([join('a', 2, 'skipped'), join('b', 1, 'over'), join('c', 1, 'over')]);
      const known = [join('a', 1, 'open'), join('a', 2, 'skipped')];
      expect(await store.joins()).toEqual(known);
      const next = await again(store);
      expect(await next.joins()).toEqual(known);
      await next.close();
    });

    it('keeps what is to be told until it is settled, and what is known by that', async () => {
      const store = await open();
      const told: Told = { since: 5, failures: 2, failingSince: 7, failureTold: true, late: 'every' };
      const [first, second, third] = [
        messageOf('1'),
        messageOf('2', { run: runOf('x', 100) }),
        messageOf('3'),
      ];
      await store.post({ messages: [second, first], told: new Map([['a', told]]) });
      await store.post({
        messages: [third],
        told: new Map([
          ['b', { since: 6, failures: 0 }],
          ['c', { since: 6, failures: 0 }],
        ]),
      });
      await store.settle(['1', 'unknown']);
      await store.post({ messages: [], told: new Map([['c', null]]) });
      // In one turn of the loop, so in one batch.
      const both = [store.post({ messages: [messageOf('4')], told: new Map() }), store.settle(['4'])];
      await Promise.all(both);
      const next = await again(store);
      expect(new Set(await next.messages())).toEqual(new Set([second, third]));
      expect(await next.told()).toEqual(
        new Map<string, object>([
          ['a', told],
          ['b', { since: 6, failures: 0 }],
        ]),
      );
      await next.close();
    });

    it('tells the runs that are not finished, oldest claim first, as they were last saved', async () => {
      const store = await open();
      const attempts = [
        {
          number: 1,
          startedAt: 101,
          finishedAt: 150,
          duration: 49,
          pid: 7,
          startTime: 12_345,
          timeout: 60_000,
          outcome: { kind: 'failed', exitCode: 3 },
        },
      ] as const;
      const waiting = runOf('01', 100, { state: 'retrying', attempts, retryAt: 900 });
      const finished = runOf('02', 200, {
        state: 'finished',
        finishedAt: 201,
        outcome: { kind: 'succeeded' },
      });
      const running = runOf('03', 300, {
        ...BY_HAND,
        state: 'running',
        attempts: [{ number: 1, startedAt: 301 }],
      });
      await store.claim(
        [runOf('01', 100), runOf('02', 200), runOf('03', 300, BY_HAND), runOf('04', 400)],
        [],
      );
      for (const run of [running, finished, waiting]) await store.save(run);
      const next = await again(store);
      expect(await next.unfinished()).toEqual([waiting, running, runOf('04', 400)]);
      await next.close();
    });
  });
}
