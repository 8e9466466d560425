/** The thread in which a daemon simulates: neither the loop that starts jobs nor the thread that claims slots notices. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../engine/clock.ts';
import { simulationShape } from '../http/simulation-shape.ts';
import type { JobDefinition } from '../model.ts';
import type { HistoryReader } from '../store/history.ts';
import { DatabaseRefused } from '../store/sqlite/open.ts';
import { readHistoryInside } from '../store/sqlite/reader.ts';
import type { Piece, Result, Task } from './protocol.ts';
import { reportOf } from './report.ts';
import { ASSUMED, MOST_LENGTHS, simulate } from './simulate.ts';

const task = workerData as Task;
const jobs: JobDefinition[] = [];

parentPort?.on('message', (piece: Piece) => {
  if (piece.length > 0) {
    jobs.push(...piece);
    return;
  }
  void answer().then((result) => parentPort?.postMessage(result));
});

async function answer(): Promise<Result> {
  let history: HistoryReader | undefined;
  try {
    history = opened();
    const until = systemClock.monotonic() + task.patience;
    const simulation = await simulate({
      ...task,
      jobs,
      lengths: (jobId) => history?.durations(jobId, MOST_LENGTHS) ?? [],
      assumed: ASSUMED,
      pauses: history?.pauses() ?? new Map(),
      goOn: () => systemClock.monotonic() < until,
    });
    return { json: JSON.stringify(simulationShape(simulation, reportOf(simulation, jobs))) };
  } catch (error) {
    return { trouble: error instanceof Error ? error.message : String(error) };
  } finally {
    history?.close();
  }
}

/** Where nothing has been recorded yet, nothing is known. */
function opened(): HistoryReader | undefined {
  if (task.database === undefined) return undefined;
  try {
    return readHistoryInside(task.database);
  } catch (error) {
    if (error instanceof DatabaseRefused && error.reason === 'absent') return undefined;
    throw error;
  }
}
