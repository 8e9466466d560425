/** The JSON of how runs lie in time: see shapes.ts. */
import type { Bar, Hour, Lane, Load } from '../engine/ports-timeline.ts';
import type { Schema } from './fields.ts';
import { iso, isoOrNull } from './shapes.ts';
import { all, KINDS, list, one, orNull, time, whole } from './schema-words.ts';

export function hourShape({ at, delay, ...counts }: Hour): object {
  const delayMs = delay === undefined ? null : { p50: Math.round(delay.p50), p99: Math.round(delay.p99) };
  return { at: iso(at), ...counts, delayMs };
}

export function laneShape({ bars, planned, ...lane }: Lane): object {
  return { ...lane, bars: bars.map(barShape), planned: planned.map(iso) };
}

function barShape({ runId, scheduledAt, startedAt, finishedAt, kind, runs, failed }: Bar): object {
  return {
    runId,
    scheduledAt: iso(scheduledAt),
    startedAt: isoOrNull(startedAt),
    finishedAt: isoOrNull(finishedAt),
    kind,
    runs,
    failed,
  };
}

export function loadShape({ step, busiest, ...load }: Load): object {
  return { stepMs: step, ...load, busiest: busiest.map(({ at, ...busy }) => ({ at: iso(at), ...busy })) };
}

const bar = all({
  runId: { type: 'string', format: 'uuid' },
  scheduledAt: time,
  startedAt: orNull(time),
  finishedAt: orNull(time),
  kind: one(...KINDS, 'active'),
  runs: whole,
  failed: whole,
});

export const TIMELINE_SCHEMAS: Readonly<Record<string, Schema>> = {
  Hours: all({
    hours: list(
      all({
        at: time,
        succeeded: whole,
        failed: whole,
        cancelled: whole,
        active: whole,
        skipped: whole,
        delayMs: orNull(all({ p50: whole, p99: whole })),
      }),
    ),
    countedFrom: orNull(time),
  }),
  Lanes: all({
    lanes: list(
      all({ jobId: { type: 'string' }, bars: list(bar), planned: list(time), complete: { type: 'boolean' } }),
    ),
  }),
  Load: all({
    stepMs: whole,
    active: list(whole),
    planned: list(whole),
    busiest: list(all({ at: time, runs: whole, planned: { type: 'boolean' } })),
    complete: { type: 'boolean' },
  }),
};
