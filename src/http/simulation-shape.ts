/** The JSON of a simulation, of the command and of the API. Runs and skips are as everywhere. */
import type { Report } from '../simulate/report.ts';
import type { Simulation } from '../simulate/simulate.ts';
import { iso, milliseconds, runShape, skipShape } from './shapes.ts';

export function simulationShape(simulation: Simulation, report: Report): object {
  const { from, to, isWhole, rows, waits, assumed } = simulation;
  return {
    from: iso(from),
    to: iso(to),
    whole: isWhole,
    assumed,
    runs: rows.flatMap((row) => ('run' in row ? [runShape(row.run)] : [])),
    skips: rows.flatMap((row) => ('skip' in row ? [skipShape(row.skip)] : [])),
    waits: waits.map(({ jobId, scheduledAt, reason, limit, since }) => ({
      jobId,
      scheduledAt: iso(scheduledAt),
      reason,
      limit: limit ?? null,
      since: iso(since),
    })),
    jobs: report.jobs.map(({ jobId, runs, skipped, waited, longestWait, busy }) => ({
      jobId,
      runs,
      skipped,
      waited,
      longestWaitMs: milliseconds(longestWait),
      busyMs: milliseconds(busy),
    })),
    busiest: report.busiest.map(({ at, active, jobs }) => ({ at: iso(at), active, jobs })),
    clockChanges: report.clockChanges.map(({ at, timezone, by }) => ({ at: iso(at), timezone, byMs: by })),
  };
}
