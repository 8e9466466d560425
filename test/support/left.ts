/** What a daemon that was killed left, and an executor under the hand of the test. */
import type { AttemptReport, HistoryRow, Recovery, StopReason } from '../../src/engine/ports.ts';
import type { JobDefinition, Policy, RetryPolicy, RunRecord } from '../../src/model.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { job } from './jobs.ts';
import type { Script } from './scripted-executor.ts';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export const START = '2026-01-01T00:00:00Z';
export const SLOT = Date.parse('2026-01-01T00:00:10Z');

/** What outlives a daemon. */
export class DurableStore extends MemoryStore {
  override readonly durable = true;
}

export const FAILS: Script = { lasts: 0, outcome: { kind: 'failed', exitCode: 1 } };
export const FOREVER: Script = { lasts: Infinity };

export const RETRY: RetryPolicy = {
  limit: 2,
  delay: MINUTE,
  backoff: 'constant',
  maxDelay: HOUR,
  jitter: false,
};

export function once(policy: Partial<Policy> = {}): JobDefinition {
  return job('a', { at: '2026-01-01T00:00:10Z', policy });
}

/** A run of `a` as a store holds it. */
export function left(change: Partial<RunRecord>): RunRecord {
  const claim = { id: 'left', jobId: 'a', scheduledAt: SLOT, cause: 'schedule', claimedAt: SLOT } as const;
  return { ...claim, state: 'claimed', attempts: [], ...change };
}

export function runOf(rows: readonly HistoryRow[], id: string): RunRecord {
  const found = rows.find((row) => 'run' in row && row.run.id === id);
  if (found === undefined || !('run' in found)) throw new Error(`there is no run ${id}`);
  return found.run;
}

/** A process that an executor finds running, under the hand of the test. */
export function survivor(ranFor: number) {
  const stops: StopReason[] = [];
  let report: (report: AttemptReport) => void = () => undefined;
  const recovery: Recovery = {
    kind: 'running',
    pid: 7,
    startTime: 70,
    ranFor,
    follow: (listen) => {
      report = listen;
      const stop = (reason: StopReason) => void stops.push(reason);
      return { stop, kill: stop };
    },
  };
  return {
    recovery,
    stops,
    end: () => report({ kind: 'ended', outcome: { kind: 'succeeded', exitCode: 0 } }),
  };
}
