import { describe, expect, it } from 'vitest';
import { REPLAYS_KEPT, type Replay } from '../../src/replay.ts';
import { runOf, type Driver } from './conformance.ts';

function replayOf(id: string): Replay {
  const counts = { total: 3, begun: 0, succeeded: 0, failed: 0 };
  const asked = { from: 1, to: 3, order: 'oldest', missingOnly: false, parallel: 1, askedAt: 7 } as const;
  return { id, jobId: 'a', ...asked, ...counts, state: 'active' };
}

/** What every driver of the Store port must do for replays. */
export function replayConformance(name: string, { open, again }: Driver): void {
  describe(`replays in store: ${name}`, () => {
    it('lets a replay have each slot once, beside whoever else has it, and never for a slot of the job', async () => {
      const store = await open();
      await store.place({ placed: new Map([['a', { schedule: 's', from: 50 }]]), gone: [] });
      const replayed = (id: string, slot: number, replay: string) =>
        runOf(id, slot, { cause: 'replay', replay, claimedAt: 1000 });
      expect(
        await store.claim([runOf('1', 100), replayed('2', 100, 'x'), replayed('3', 900, 'x')], []),
      ).toEqual([true, true, true]);
      expect(await store.claim([replayed('4', 100, 'x'), replayed('5', 100, 'y')], [])).toEqual([
        false,
        true,
      ]);
      expect(await store.places()).toEqual(new Map([['a', { schedule: 's', from: 100 }]]));
      expect(await store.claim([runOf('6', 900)], []), 'the slot itself is free').toEqual([true]);
      const next = await again(store);
      const unfinished = await next.unfinished();
      expect(unfinished.map(({ id, replay }) => `${id} ${replay ?? ''}`)).toEqual([
        '1 ',
        '2 x',
        '3 x',
        '5 y',
        '6 ',
      ]);
      await next.close();
    });

    it('keeps replays and their slots until they are over, and then the newest of them', async () => {
      const store = await open();
      const replay = replayOf('r000');
      await store.setReplay(replay, [1, 2, 3]);
      await store.setReplay({ ...replay, begun: 2, succeeded: 1 });
      let next = await again(store);
      expect(await next.replays()).toEqual([
        { replay: { ...replay, begun: 2, succeeded: 1 }, slots: [1, 2, 3] },
      ]);
      await next.setReplay({ ...replay, begun: 3, succeeded: 3, state: 'finished', endedAt: 9 });
      for (let n = 1; n <= REPLAYS_KEPT + 5; n += 1) {
        const other = replayOf(`r${String(n).padStart(3, '0')}`);
        await next.setReplay(other, [n]);
        if (n > 1) await next.setReplay({ ...other, state: 'cancelled' });
      }
      next = await again(next);
      const known = await next.replays();
      const last = `r${REPLAYS_KEPT + 5}`;
      expect(known[0], 'under way').toEqual({ replay: replayOf('r001'), slots: [1] });
      expect(known.at(-1)).toEqual({ replay: { ...replayOf(last), state: 'cancelled' }, slots: [] });
      expect(known.filter((each) => each.replay.state !== 'active').length).toBeLessThanOrEqual(
        REPLAYS_KEPT + 1,
      );
      expect(known.map((each) => each.replay.id)).not.toContain('r000');
      await next.close();
    });
  });
}
