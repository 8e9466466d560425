/** Whose runs are these? Asked of many at once, by who finds their output on the disk. */
import type { DatabaseSync } from 'node:sqlite';
import type { RunId } from '../../model.ts';
import type { RunOwner } from '../history.ts';

/** Of those that history knows. */
export function ownersOf(db: DatabaseSync, runs: readonly RunId[]): Map<RunId, RunOwner> {
  const rows = db
    .prepare(
      `SELECT r.id, j.id AS job_id, r.state FROM json_each(?) asked
       CROSS JOIN runs r ON r.id = asked.value JOIN jobs j ON j.number = r.job`,
    )
    .all(JSON.stringify(runs));
  return new Map(
    rows.map(({ id, job_id, state }) => [
      id as string,
      { jobId: job_id as string, isFinished: state === 'finished' },
    ]),
  );
}
