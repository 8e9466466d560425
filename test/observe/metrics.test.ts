import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import type { DaemonFigures } from '../../src/engine/ports-figures.ts';
import type { Standing } from '../../src/engine/ports-operator.ts';
import type { RunRecord } from '../../src/model.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { readExposition } from '../http/exposition.ts';
import { job } from '../support/jobs.ts';

const figures: DaemonFigures = {
  version: '1 "quoted" \\ and\nbroken',
  startedAt: 0,
  loadedAt: 0,
  fileIsGood: true,
  reloads: { applied: 0, unchanged: 0, refused: 0 },
  storeIsWell: true,
  storeSize: undefined,
  logDropped: 3,
  watchdogPings: 7,
};

function standing(jobId: string): Standing {
  return { jobId, state: 'scheduled', nextAt: 1000, active: 1, waiting: 2, lastSuccessAt: 500 };
}

function finished(jobId: string): {
  run: RunRecord;
  kind: 'run_finished';
  outcome: { kind: 'succeeded' };
  definition: ReturnType<typeof job>;
} {
  const outcome = { kind: 'succeeded' } as const;
  const attempts = [{ number: 1, startedAt: 0, finishedAt: 2000, duration: 2000, outcome }];
  const run: RunRecord = {
    id: 'r',
    jobId,
    scheduledAt: 0,
    cause: 'schedule',
    claimedAt: 0,
    state: 'finished',
    attempts,
    finishedAt: 2000,
    outcome,
  };
  return { kind: 'run_finished', run, outcome, definition: job(jobId, {}) };
}

async function afterOneRunEach(jobs: number) {
  const ids = Array.from({ length: jobs }, (_, n) => `j${n}`);
  const operator = { figures: () => figures, standing: () => ids.map(standing), pools: () => [] };
  const metrics = createMetrics({ operator, clock: systemClock });
  for (const id of ids) metrics.observe(finished(id));
  const begun = performance.now();
  const text = await metrics.text();
  console.info(`${jobs} jobs, ${text.length} characters in ${Math.round(performance.now() - begun)} ms`);
  return { metrics, ids, told: readExposition(text), close: () => metrics.close() };
}

const count = (told: ReturnType<typeof readExposition>, name: string): number =>
  told.get(name)?.samples.length ?? 0;

describe('metrics', () => {
  it('of a thousand jobs are whole', async () => {
    const { told, close } = await afterOneRunEach(1000);
    close();
    expect(count(told, 'tsched_runs_total')).toBe(1000);
    expect(count(told, 'tsched_run_duration_seconds')).toBe(13_000);
    expect(
      told.get('tsched_run_duration_seconds')?.samples.find(({ labels }) => labels['le'] === '5')?.value,
    ).toBe(1);
    for (const [name, value] of [
      ['tsched_log_dropped_total', 3],
      ['tsched_watchdog_pings_total', 7],
    ] as const) {
      expect(told.get(name)).toMatchObject({ type: 'counter', samples: [{ value }] });
    }
    expect(told.get('tsched_build_info')?.samples[0]?.labels['version']).toContain('\\"quoted\\"');
  });

  it('stay bounded, whatever the number of jobs, and lose no run', async () => {
    const { told, close } = await afterOneRunEach(12_000);
    close();
    const runs = told.get('tsched_runs_total')?.samples ?? [];
    expect(runs).toHaveLength(10_001);
    expect(runs.find(({ labels }) => labels['job'] === '_other')?.value).toBe(2000);
    expect(count(told, 'tsched_run_duration_seconds')).toBe(13);
    expect(
      told.get('tsched_runs_queued')?.samples.find(({ labels }) => labels['job'] === '_other')?.value,
    ).toBe(4000);
  });

  it('forget a job that left, with all it had', async () => {
    const { metrics, ids } = await afterOneRunEach(3);
    ids.splice(1, 1);
    metrics.observe({ kind: 'jobs_applied', added: [], changed: [], removed: ['j1'], unchanged: 2 });
    const text = await metrics.text();
    metrics.close();
    expect(text).toContain('job="j0"');
    expect(text).not.toContain('job="j1"');
  });
});
