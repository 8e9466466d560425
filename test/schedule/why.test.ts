import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RunRecord, SkipRecord } from '../../src/model.ts';
import { slotUpTo } from '../../src/schedule/previous.ts';
import {
  compileSchedule,
  instantsTrigger,
  intervalTrigger,
  mergeTriggers,
} from '../../src/schedule/trigger.ts';
import { whySlot, type SlotFacts, type SlotReason } from '../../src/schedule/why.ts';
import { job } from '../support/jobs.ts';

const SLOT = 1_000_000;
const facts: SlotFacts = {
  slot: SLOT,
  now: SLOT + 60_000,
  isSlot: true,
  fate: undefined,
  follows: undefined,
  isInFile: true,
  row: undefined,
  jitter: 0,
  enabled: true,
  paused: false,
  decidedTo: SLOT - 1,
  isSameSchedule: true,
  daemon: 'well',
  oldest: undefined,
  prunedTo: undefined,
};
const run: RunRecord = {
  id: 'r',
  jobId: 'a',
  scheduledAt: SLOT,
  cause: 'schedule',
  claimedAt: SLOT,
  state: 'running',
  attempts: [{ number: 1, startedAt: SLOT + 10 }],
};
const skip: SkipRecord = {
  jobId: 'a',
  scheduledAt: SLOT - 5000,
  through: SLOT + 5000,
  reason: 'overlap',
  at: SLOT + 6000,
};
const lost = { kind: 'not_started', message: 'x' } as const;

const table: readonly [SlotReason, string, Partial<SlotFacts>][] = [
  ['on_time', 'its run started within a moment', { row: run }],
  [
    'on_time',
    'by its jitter',
    { row: { ...run, attempts: [{ number: 1, startedAt: SLOT + 30_010 }] }, jitter: 30_000 },
  ],
  ['late', 'a second and more', { row: { ...run, attempts: [{ number: 1, startedAt: SLOT + 1000 }] } }],
  ['caught_up', 'by its misfire policy', { row: { ...run, cause: 'catch_up' } }],
  ['starting', 'claimed', { row: { ...run, state: 'claimed', attempts: [] } }],
  ['not_begun', 'cancelled before', { row: { ...run, state: 'finished', attempts: [] } }],
  [
    'not_begun',
    'nothing came of it',
    { row: { ...run, attempts: [{ number: 1, startedAt: SLOT, outcome: lost }] } },
  ],
  ['on_time', 'whatever the schedule has become', { row: run, isSlot: false, isInFile: false }],
  ['overlap', 'within a stretch', { row: skip }],
  [
    'overlap',
    'the edge of a stretch of another schedule',
    { row: { ...skip, through: SLOT }, isSlot: false },
  ],
  ['not_a_slot', 'between the slots of a stretch', { row: skip, isSlot: false }],
  ['not_a_slot', 'no slot', { isSlot: false }],
  ['no_schedule', 'no slots at all', { isSlot: 'none' }],
  ['not_in_file', 'nobody knows its schedule', { isSlot: 'none', isInFile: false }],
  ['future', 'to come', { now: SLOT - 1 }],
  ['future', 'to come, whoever runs', { now: SLOT - 1, daemon: 'down', decidedTo: undefined }],
  ['jitter', 'to start soon', { now: SLOT + 5, jitter: 10 }],
  ['disabled', 'to come, but disabled', { now: SLOT - 1, enabled: false }],
  ['paused', 'to come, but paused', { now: SLOT - 1, paused: true }],
  ['disabled', 'past, disabled', { enabled: false, decidedTo: undefined }],
  ['not_loaded', 'no daemon knows the job', { decidedTo: undefined }],
  ['not_known_yet', 'before its first', { decidedTo: SLOT + 5 }],
  ['not_known_yet', 'before its oldest row', { decidedTo: SLOT + 5, oldest: SLOT + 1 }],
  ['unrecorded', 'after its oldest row', { decidedTo: SLOT + 5, oldest: SLOT - 1 }],
  ['pruned', 'older than is kept', { decidedTo: SLOT + 5, oldest: SLOT + 1, prunedTo: SLOT }],
  ['schedule_changed', 'loaded with another', { isSameSchedule: false }],
  ['daemon_down', 'nobody decides', { daemon: 'down' }],
  ['degraded', 'nobody can write it down', { daemon: 'degraded' }],
  ['ephemeral', 'nobody will', { daemon: 'memory' }],
  ['waiting', 'nobody has yet', {}],
];

describe('whySlot', () => {
  it.each(table)('%s: %s', (reason, _, change) => {
    expect(whySlot({ ...facts, ...change }).reason).toBe(reason);
  });

  it('measures lateness from when the slot was due, and never below 0', () => {
    const late = (startedAt: number, jitter = 0): number | undefined =>
      whySlot({ ...facts, jitter, row: { ...run, attempts: [{ number: 1, startedAt }] } }).late;
    expect([late(SLOT + 1500), late(SLOT + 1500, 1000), late(SLOT - 7)]).toEqual([1500, 500, 0]);
    expect(whySlot({ ...facts, row: skip }).late).toBe(6000);
  });
});

describe('slotUpTo', () => {
  it('finds what a walk finds', () => {
    const period = fc.integer({ min: 1, max: 100_000 });
    const instants = fc.array(fc.integer({ min: -1_000_000, max: 1_000_000 }), { maxLength: 5 });
    fc.assert(
      fc.property(period, instants, fc.integer({ min: -1_000_000, max: 1_000_000 }), (every, at, until) => {
        const newest = Math.max(Math.floor(until / every) * every, ...at.filter((each) => each <= until));
        const trigger = mergeTriggers([intervalTrigger(every, 0), instantsTrigger(at)]);
        expect(slotUpTo(trigger, until)).toBe(newest);
      }),
    );
  });

  it('knows of none where there is none, and of one that is long ago', () => {
    expect(slotUpTo({ next: () => undefined }, 0)).toBeUndefined();
    const once = instantsTrigger([Date.parse('1999-12-31T23:59:59Z')]);
    expect(slotUpTo(once, Date.parse('2026-01-01T00:00:00Z'))).toBe(Date.parse('1999-12-31T23:59:59Z'));
    expect(slotUpTo(once, Date.parse('1999-12-31T23:59:58Z'))).toBeUndefined();
    const seconds = job('a', { cron: '* * * * * *', schedule: { end: Date.parse('2020-01-01T00:00:00Z') } });
    const trigger = compileSchedule(seconds.schedule, 'a');
    expect(slotUpTo(trigger, Date.parse('2026-01-01T00:00:00Z'))).toBe(Date.parse('2020-01-01T00:00:00Z'));
  });
});
