/** A row of the history as programs get it: as the API tells it, with the size of its output. */
import type { HistoryRow } from '../engine/ports.ts';
import { runShape, skipShape } from '../http/shapes.ts';
import type { RunRecord } from '../model.ts';
import { outputSizeOf } from './past.ts';

export function rowAsJson(row: HistoryRow, state: string): object {
  return 'run' in row ? runAsJson(row.run, state) : skipShape(row.skip);
}

export function runAsJson(run: RunRecord, state: string): object {
  return { ...runShape(run), outputBytes: outputSizeOf(state, run) ?? null };
}
