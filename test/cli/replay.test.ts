/** `tsched replay` against a real daemon. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAsked } from '../http/support.ts';
import type { Daemon, Later } from '../support/daemon.ts';
import { tsched, type Ran } from './tsched.ts';

const jobs = `
jobs:
  daily: { cron: "0 3 * * *", timezone: Europe/Berlin, run: 'echo "$TSCHED_SCHEDULED_AT" >> ran' }
  fails: { cron: "0 3 * * *", run: exit 3 }
  hangs: { cron: "0 3 * * *", run: sleep 60 }
`;

const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

describe('tsched replay', () => {
  let daemon: Daemon;
  beforeAll(async () => {
    daemon = await startAsked({ jobs, args: ['--no-watch'], later });
  });
  const replay = (...args: string[]): Ran =>
    tsched(['replay', ...args], {
      cwd: daemon.directory,
      env: { TSCHED_STATE_DIR: daemon.stateDirectory },
    });
  const range = ['--from', '2026-03-28', '--to', '2026-03-30'];

  it('tells what it would do, a day alone meant whole, in the zone of the job', () => {
    const { code, out } = replay('daily', ...range, '--dry-run');
    expect({ code, out }).toEqual({
      code: 0,
      out: `daily would run 3 slots again, in this order   Europe/Berlin
  Sat 2026-03-28 03:00:00 +01:00
  Sun 2026-03-29 03:00:00 +02:00
  Mon 2026-03-30 03:00:00 +02:00
Nothing was begun.
`,
    });
    const newest = replay('daily', ...range, '--order', 'newest', '--dry-run', '--json');
    expect(JSON.parse(newest.out)).toMatchObject({ total: 3, order: 'newest' });
    expect(replay('--list').out).toBe('there are no replays\n');
  });

  it('waits for its end, shows it, and leaves out what has succeeded', () => {
    const begun = replay('daily', ...range, '--wait');
    expect(begun.out).toMatch(
      /^replay [-0-9a-f]{36} of daily has begun: 3 slots +tsched replay --list\nreplay [-0-9a-f]{36} is over: 3 succeeded\n$/,
    );
    expect(begun.code).toBe(0);
    const again = replay('daily', ...range, '--missing-only');
    expect(again.code).toBe(1);
    expect(again.err).toContain(
      'each of the 3 slots of daily in that time has a run that succeeded or is active',
    );
    const failed = replay('fails', ...range, '--wait', '--json');
    expect(failed.code).toBe(1);
    expect(JSON.parse(failed.out)).toMatchObject({ state: 'finished', succeeded: 0, failed: 3 });
    const { out } = replay('--list');
    expect(out).toMatch(/^REPLAY +JOB +ASKED +SLOTS +DONE +FAILED +STATE\n/);
    expect(out).toMatch(/ fails +\S+ ago +3 +3 +3 +over: 0 succeeded, 3 did not\n/);
    const history = tsched(['history', 'daily', '--state-dir', daemon.stateDirectory]);
    expect(history.out.match(/ ok +replay /g)).toHaveLength(3);
  });

  it('cancels one, by the beginning of its id', () => {
    const { id } = JSON.parse(replay('hangs', ...range, '--json').out) as { id: string };
    const twice = replay('hangs', ...range);
    expect({ code: twice.code, err: twice.err }).toEqual({
      code: 1,
      err: expect.stringContaining(`a replay of hangs is under way: ${id}`),
    });
    const cancelled = replay('--cancel', id.slice(0, 30));
    expect(cancelled).toMatchObject({
      code: 0,
      out: `replay ${id} of hangs is cancelled after 1 of 3 slots\n`,
    });
    expect(replay('--cancel', id)).toMatchObject({
      code: 1,
      err: expect.stringContaining('this replay is over'),
    });
  });

  it.each([
    [['daily'], 64, 'nothing says which slots are to be replayed'],
    [['dayly', ...range], 64, 'did you mean "daily"?'],
    [['daily', '--from', 'yesterday'], 64, '--from'],
    [['daily', ...range, '--parallel', '2'], 64, 'more with overlap: allow'],
    [['daily', '--from', '2026-03-30T04:00', '--to', '2026-03-30T05:00'], 1, 'had no slots in that time'],
    [['--cancel', 'none'], 64, 'there is no such replay'],
  ] as const)('%j is refused', (args, code, words) => {
    const ran = replay(...args);
    expect({ code: ran.code, err: ran.err }).toEqual({ code, err: expect.stringContaining(words) });
  });
});
