/** Jobs that share a pool, on a fake clock. */
import type { HistoryRow } from '../../src/engine/ports.ts';
import type { JobDefinition, Policy, PoolUse, RunRecord } from '../../src/model.ts';
import { rig, type RigOptions } from './engine.ts';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

/** Missed by nothing. */
export const PATIENT = { misfire: { run: 'all', max: 100 } } as const;

/** Of a job that takes something of the pool `database`. */
export function taking(
  pool: Partial<PoolUse> = {},
  policy: Partial<Policy> = {},
): { policy: Partial<Policy> } {
  return { policy: { ...PATIENT, pool: { name: 'database', slots: 1, ...pool }, ...policy } };
}

export const at = (clock: string): string => `2026-01-01T${clock}Z`;

/** A rig whose attempts last as long as their job says, and what each of them did. */
export function pooled(lasts: Readonly<Record<string, number>>, options: RigOptions = {}) {
  const made = rig({ script: ({ jobId }) => ({ lasts: lasts[jobId] ?? 10 * SECOND }), ...options });
  return { ...made, waits: () => made.events.filter((event) => event.kind === 'run_waiting') };
}

/** The one run of a job. */
export function runOf(rows: readonly HistoryRow[], jobId: string): RunRecord {
  const found = rows.flatMap((row) => ('run' in row && row.run.jobId === jobId ? [row.run] : []));
  const [run] = found;
  if (run === undefined || found.length > 1) throw new Error(`${jobId} has ${found.length} runs`);
  return run;
}

export function inThread(definition: JobDefinition): JobDefinition {
  const task = {
    kind: 'module',
    path: '/x.ts',
    exportName: 'default',
    isolation: 'thread',
    with: {},
  } as const;
  return { ...definition, task };
}

export function request(definition: JobDefinition): JobDefinition {
  const task = {
    kind: 'http',
    method: 'GET',
    url: 'http://localhost/',
    shownUrl: 'http://localhost/',
    headers: {},
    expectedStatus: [[200, 299]],
    followRedirects: false,
    secrets: [],
  } as const;
  return { ...definition, task };
}
