import { describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../src/engine/ports.ts';
import type { Notice } from '../../src/observe/notify-channel.ts';
import { ServiceManager, type Outlook } from '../../src/observe/service-manager.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { job } from '../support/jobs.ts';
import { rig } from '../support/engine.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

interface Setting {
  readonly environment?: Record<string, string>;
  readonly spacing?: number;
  readonly outlook?: () => Outlook | string;
  readonly clock?: FakeClock;
}

function manage({
  environment = { WATCHDOG_USEC: '60000000' },
  spacing = SECOND,
  clock = new FakeClock('2026-06-01T22:30:00Z'),
  outlook = () => ({ jobs: 3, next: { jobId: 'backup', slot: Date.parse('2026-06-02T02:30:00Z') } }),
}: Setting = {}) {
  const notices: Notice[] = [];
  const manager = new ServiceManager({
    channel: { spacing, send: (notice) => notices.push(notice), flush: () => Promise.resolve() },
    clock,
    timezone: 'UTC',
    environment,
    microseconds: () => 1_234_567n,
    outlook,
  });
  return { clock, manager, notices };
}

const started = { kind: 'engine_started', jobs: 3 } as const satisfies EngineEvent;

describe('what the service manager is told', () => {
  it('is up once jobs are armed, with what comes next', () => {
    const { manager, notices } = manage();
    expect(notices).toEqual([]);
    manager.observe(started);
    expect(notices).toEqual([{ READY: '1', STATUS: '3 jobs, next: backup at Tue 02:30 (in 4h)' }]);
  });

  it('says so when nothing is due', () => {
    const { manager, notices } = manage({ outlook: () => ({ jobs: 1, next: undefined }) });
    manager.observe(started);
    expect(notices).toEqual([{ READY: '1', STATUS: '1 job, none of them due' }]);
  });

  it('says what it does where another decides', () => {
    const { manager, notices } = manage({ outlook: () => 'works, and does not conduct' });
    manager.observe(started);
    expect(notices).toEqual([{ READY: '1', STATUS: 'works, and does not conduct' }]);
  });

  it('a reload is announced and over, and a file that was refused is shown until it is good', () => {
    const { manager, notices } = manage();
    manager.observe(started);
    manager.reloading();
    manager.reloaded('the job file has an error; the jobs loaded before stay');
    const status = '3 jobs, next: backup at Tue 02:30 (in 4h)';
    expect(notices.splice(0).slice(1)).toEqual([
      { RELOADING: '1', MONOTONIC_USEC: '1234567' },
      { READY: '1', STATUS: `${status}; the job file has an error; the jobs loaded before stay` },
    ]);
    manager.reloading();
    manager.reloaded(undefined);
    expect(notices.at(-1)).toEqual({ READY: '1', STATUS: status });
  });

  it('stops, and from then on neither reloads nor is ready again', () => {
    const { manager, notices } = manage();
    manager.observe(started);
    manager.observe({ kind: 'engine_stopping', active: 2 });
    expect(notices.at(-1)).toEqual({
      STOPPING: '1',
      EXTEND_TIMEOUT_USEC: '120000000',
      STATUS: 'stopping, runs still active: 2',
    });
    const before = notices.length;
    manager.reloading();
    manager.reloaded(undefined);
    expect(notices).toHaveLength(before);
  });

  it('the history that cannot be recorded is in the status', async () => {
    const { manager, notices, clock } = manage();
    manager.observe(started);
    await clock.advance(SECOND);
    manager.observe({ kind: 'store_degraded', since: 0, message: 'the disk is full' });
    expect(notices.at(-1)?.STATUS).toMatch(/; history cannot be recorded$/);
    await clock.advance(SECOND);
    manager.observe({ kind: 'store_healed', caughtUp: 1, dropped: 0 });
    expect(notices.at(-1)?.STATUS).not.toMatch(/history/);
  });

  it('a job id can forge nothing', () => {
    const next = { jobId: 'a\nREADY=1', slot: Date.parse('2026-06-01T23:00:00Z') };
    const { manager, notices } = manage({ outlook: () => ({ jobs: 1, next }) });
    manager.observe(started);
    expect(notices[0]?.STATUS).toBe('1 job, next: a\\nREADY=1 at 23:00 (in 30m)');
  });
});

describe('the status', () => {
  it('follows the next slot at most once in the channel’s spacing, and is not repeated', async () => {
    let slot = Date.parse('2026-06-01T22:30:01Z');
    const { manager, notices, clock } = manage({
      environment: {},
      outlook: () => ({ jobs: 1, next: { jobId: 'tick', slot } }),
    });
    manager.observe(started);
    for (let tick = 0; tick < 100; tick += 1) {
      await clock.advance(100);
      slot = clock.now() + 5 * MINUTE;
      manager.rung();
    }
    const told = notices.slice(1).map(({ STATUS }) => STATUS);
    expect(told).toHaveLength(10);
    expect(new Set(told).size).toBe(10);
    const before = notices.length;
    slot = clock.now() + 100 * MINUTE;
    manager.rung();
    manager.rung();
    expect(notices.length - before).toBe(0);
    await clock.advance(SECOND);
    manager.rung();
    manager.rung();
    expect(notices.length - before).toBe(1);
  });
});

describe('the watchdog', () => {
  it.each([
    ['of 60 s', '60000000', 30 * SECOND],
    ['of 1.5 s', '1500000', 750],
    ['of 10 min', '600000000', 300 * SECOND],
  ])('%s is fed by the turning loop, never more than half its time apart', async (_, usec, half) => {
    const clock = new FakeClock('2026-06-01T00:00:00Z');
    const fed: number[] = [];
    const { manager, notices } = manage({ clock, environment: { WATCHDOG_USEC: usec } });
    const watch = {
      every: manager.every,
      rung: () => {
        const before = notices.length;
        manager.rung();
        if (notices.slice(before).some((notice) => 'WATCHDOG' in notice)) fed.push(clock.monotonic());
      },
    };
    const { engine } = rig({ clock, supervisor: watch });
    // Idle, then busy at a pace that has nothing to do with the watchdog's.
    const late = { start: clock.now() + 20 * half };
    await engine.start([job('tick', { every: 7 * SECOND + 300, schedule: late })]);
    manager.observe(started);
    await clock.advance(40 * half);
    const gaps = fed.slice(1).map((at, index) => at - (fed[index] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(half);
    expect(fed.length).toBeGreaterThanOrEqual(40);
    expect(manager.pings).toBe(fed.length);
    // Nor is it fed for its own sake on every tick.
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(Math.min(half / 3, 15 * SECOND));
  });

  it('is none of ours when it is another process’s, or there is none', () => {
    for (const environment of [{ WATCHDOG_USEC: '3000000', WATCHDOG_PID: '1' }, {}]) {
      const { manager, notices } = manage({ environment });
      manager.observe(started);
      manager.rung();
      expect(notices.filter((notice) => 'WATCHDOG' in notice)).toEqual([]);
      expect(manager.every).toBe(30 * SECOND);
    }
    const ours = { WATCHDOG_USEC: '3000000', WATCHDOG_PID: String(process.pid) };
    expect(manage({ environment: ours }).manager.every).toBe(SECOND);
  });

  it('a start and a stop that go on ask for more time as long as the loop turns', async () => {
    const { manager, notices, clock } = manage({ environment: {} });
    manager.rung();
    expect(notices).toEqual([{ EXTEND_TIMEOUT_USEC: '120000000' }]);
    manager.observe(started);
    await clock.advance(MINUTE);
    manager.rung();
    expect(notices.at(-1)).not.toHaveProperty('EXTEND_TIMEOUT_USEC');
    manager.observe({ kind: 'engine_stopping', active: 1 });
    await clock.advance(MINUTE);
    manager.rung();
    expect(notices.at(-1)).toEqual({ EXTEND_TIMEOUT_USEC: '120000000' });
  });
});
