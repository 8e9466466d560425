/** Replays by the built daemon: whatever becomes of it, every slot runs, once, in order. */
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { RunRecord } from '../../src/model.ts';
import { readHistory } from '../../src/store/sqlite/reader.ts';
import { ask, socketOf, startAsked } from '../http/support.ts';
import { account, directory, type Daemon } from '../support/daemon.ts';

const DAY = 86_400_000;
const SLOTS = 90;
const KILLS = 12;

/** So far from now that no slot falls due by itself. */
const HOUR = (new Date().getUTCHours() + 12) % 24;

/** At that hour, of the days that are over. */
function days(count: number): { readonly from: string; readonly to: string; readonly slots: string[] } {
  const today = Math.floor(Date.now() / DAY) * DAY + HOUR * 3_600_000;
  const slots = Array.from({ length: count }, (_, index) =>
    new Date(today - (count - index) * DAY).toISOString(),
  );
  return { from: slots[0] ?? '', to: slots.at(-1) ?? '', slots };
}

function runsOf(daemon: Daemon, jobId: string): RunRecord[] {
  const history = readHistory(join(daemon.stateDirectory, 'tsched.db'));
  try {
    const rows = history.rows({ jobId, limit: 10_000 });
    return rows.flatMap((row) => ('run' in row ? [row.run] : []));
  } finally {
    history.close();
  }
}

describe('a replay of ninety days', () => {
  it.each(['oldest', 'newest'] as const)(
    'goes on after each kill -9, and ends with ninety runs, none twice, the %s first',
    async (order) => {
      const where = directory(onTestFinished);
      const book = account(join(where, 'account'));
      const begin = 'echo "$TSCHED_SCHEDULED_AT $TSCHED_CAUSE" >> begun';
      const jobs = `
jobs:
  daily:
    cron: "0 ${HOUR} * * *"
    misfire: none
    retry: { limit: 2, delay: 10ms, jitter: false, on: lost }
    run: ${JSON.stringify(`${begin}; sleep 0.02; ${book.line('$TSCHED_CAUSE $TSCHED_ATTEMPT')}`)}
  busy: { every: 100ms, run: "true" }
`;
      const { from, to, slots } = days(SLOTS);
      const wanted = order === 'oldest' ? slots : slots.toReversed();
      const seed = Date.now() % 1000;
      let daemon = await startAsked({ jobs, directory: where, later: onTestFinished });
      const begun = await ask(socketOf(daemon), '/api/v1/replays', {
        method: 'POST',
        json: { job: 'daily', from, to, order },
      });
      expect(begun).toMatchObject({
        status: 202,
        body: { total: SLOTS, state: 'active', missingOnly: false },
      });
      const path = `/api/v1/replays/${begun.body.id}`;
      for (let kill = 1; kill <= KILLS; kill += 1) {
        const many = book.executions('daily').length + 1 + ((seed * kill) % 5);
        if (many > SLOTS - 5) break;
        await daemon.until(`${many} executions`, () => book.executions('daily').length >= many);
        const moment = performance.now() + ((seed * 31 * kill) % 60);
        await daemon.until('a moment within a run', () => performance.now() >= moment);
        daemon.signal('SIGKILL');
        await daemon.exited;
        daemon = await startAsked({ directory: where, later: onTestFinished });
      }
      const ended = await daemon.waitFor('the end of the replay', ({ event }) => event === 'replay_ended');
      expect(ended, `seed ${seed}`).toMatchObject({ job: 'daily', total: SLOTS, begun: SLOTS });
      const told = await ask(socketOf(daemon), path);
      expect(told.body, `seed ${seed}`).toMatchObject({
        state: 'finished',
        succeeded: SLOTS,
        failed: 0,
        waitsFor: null,
      });
      const runs = runsOf(daemon, 'daily').sort((a, b) => (a.id < b.id ? -1 : 1));
      expect(
        runs.map(({ scheduledAt }) => new Date(scheduledAt).toISOString()),
        `seed ${seed}`,
      ).toEqual(wanted);
      expect(new Set(runs.map(({ cause, replay }) => `${cause} ${replay ?? ''}`))).toEqual(
        new Set([`replay ${begun.body.id}`]),
      );
      expect(
        book.executions('daily').map(({ slot }) => slot),
        `seed ${seed}`,
      ).toEqual(wanted);
      expect(await daemon.stop()).toBe(0);
    },
  );
});

describe('replays, as the API tells them', () => {
  it('can be planned, are refused with reasons, leave out what has succeeded, and can be cancelled', async () => {
    const jobs = `
jobs:
  daily: { cron: "0 ${HOUR} * * *", run: 'test -e well || sleep 60; test "$TSCHED_CAUSE" = replay' }
  other: { at: 2020-01-01T00:00:00Z, run: "true" }
  often: { every: 1s, run: "true" }
`;
    const daemon = await startAsked({ jobs, later: onTestFinished });
    const place = socketOf(daemon);
    const { from, to, slots } = days(3);
    const post = (json: object) => ask(place, '/api/v1/replays', { method: 'POST', json });
    const planned = await post({ job: 'daily', from, to, order: 'newest', dry_run: true });
    expect(planned).toMatchObject({ status: 200, body: { jobId: 'daily', total: 3, order: 'newest' } });
    expect(planned.body.slots.map((slot: string) => Date.parse(slot))).toEqual(
      slots.toReversed().map((slot) => Date.parse(slot)),
    );
    expect((await ask(place, '/api/v1/replays')).body).toEqual({ replays: [] });
    const refusals = [
      [{ job: 'dayly', from }, 404, 'unknown_job'],
      [{ job: 'other', from, to }, 422, 'no_slots'],
      [{ job: 'often', from, to }, 422, 'too_many_slots'],
      [{ job: 'daily', from, parallel: 2 }, 422, 'too_parallel'],
      [{ job: 'daily', from: to, to: from }, 400, 'bad_body'],
      [{ job: 'daily', from, order: 'random' }, 400, 'bad_request'],
    ] as const;
    for (const [json, status, code] of refusals)
      expect(await post(json), code).toMatchObject({ status, body: { code } });
    const begun = await post({ job: 'daily', from, to });
    expect(begun).toMatchObject({ status: 202, headers: { location: `/api/v1/replays/${begun.body.id}` } });
    expect(await post({ job: 'daily', from, to })).toMatchObject({
      status: 409,
      body: { code: 'replay_active' },
    });
    await daemon.until('its first run', () => daemon.events('attempt_started', 'daily').length === 1);
    const cancelled = await ask(place, `/api/v1/replays/${begun.body.id}`, { method: 'DELETE' });
    expect(cancelled).toMatchObject({ status: 200, body: { state: 'cancelled', begun: 1 } });
    await daemon.until('its run to end', () => daemon.events('run_finished', 'daily').length === 1);
    expect(await ask(place, `/api/v1/replays/${begun.body.id}`, { method: 'DELETE' })).toMatchObject({
      status: 409,
    });
    process.getBuiltinModule('node:fs').writeFileSync(join(daemon.directory, 'well'), '');
    const middle = await post({ job: 'daily', from: slots[1], to: slots[1] });
    await daemon.until('its end', () => daemon.events('replay_ended', 'daily').length === 2);
    const rest = await post({ job: 'daily', from, to, missing_only: true, dry_run: true });
    expect(rest.body.slots.map((slot: string) => Date.parse(slot))).toEqual(
      [slots[0], slots[2]].map((slot) => Date.parse(slot ?? '')),
    );
    const listed = await ask(place, '/api/v1/replays');
    expect(listed.body.replays.map(({ id }: { id: string }) => id)).toEqual([middle.body.id, begun.body.id]);
    const runs = await ask(place, '/api/v1/runs?job=daily');
    expect(runs.body.runs.map(({ cause, replay }: RunRecord) => [cause, replay])).toEqual([
      ['replay', middle.body.id],
      ['replay', begun.body.id],
    ]);
    expect(daemon.lines.filter(({ msg }) => / replays 3 slots of daily: replay /.test(msg))).toHaveLength(1);
    expect(await daemon.stop()).toBe(0);
  });
});
