/** What became of runs, in a word or two: for the columns of tables. */
import type { AttemptRecord, Instant, Outcome, RunRecord } from '../model.ts';
import { elapsed, printable } from '../observe/text.ts';
import type { Cell } from './table.ts';
import { isCalledOff, shardsInWords } from '../schedule/joint.ts';

/** `ok`, `exit 1`, `SIGKILL`, `timeout` … Not yet escaped. */
export function outcomeInShort(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'succeeded':
      return 'ok';
    case 'failed':
      if (outcome.status !== undefined) return `status ${outcome.status}`;
      return outcome.exitCode === undefined ? 'failed' : `exit ${outcome.exitCode}`;
    case 'killed':
      return outcome.signal;
    case 'timed_out':
      return 'timeout';
    case 'not_started':
      return 'not started';
    case 'threw':
    case 'cancelled':
    case 'lost':
      return outcome.kind;
  }
}

/** How a run stands: its outcome, else what it is doing. */
export function resultCell(run: RunRecord, now: Instant): Cell {
  if (run.shards === undefined) return wholeCell(run, now);
  const cell = wholeCell(run, now);
  return { ...cell, text: `${cell.text} (${shardsInWords(run.shards)})` };
}

function wholeCell(run: RunRecord, now: Instant): Cell {
  const { state, outcome, retryAt, attempts } = run;
  if (outcome !== undefined) return outcomeCell(outcome);
  if (isCalledOff(run)) return BEING_CANCELLED;
  const { awaits } = attempts.at(-1) ?? {};
  if (awaits !== undefined) return awaitingCell(awaits);
  const waits = retryAt === undefined ? 'retrying' : `retry in ${elapsed(Math.max(0, retryAt - now))}`;
  const words = {
    running: 'running',
    retrying: waits,
    waiting: 'waiting',
    claimed: 'starting',
    finished: '',
  };
  return { text: words[state], style: 'cyan' };
}

const BEING_CANCELLED: Cell = { text: 'being cancelled', style: 'yellow' };

/** Of an attempt that no node has begun. */
function awaitingCell(labels: readonly string[]): Cell {
  const text = labels.length === 0 ? 'waits for a node' : `waits for a node: ${printable(labels.join(','))}`;
  return { text, style: 'yellow' };
}

/** How an attempt stands. */
export function attemptCell({ outcome, awaits, cancelledBy }: AttemptRecord): Cell {
  if (outcome !== undefined) return outcomeCell(outcome);
  if (cancelledBy !== undefined) return BEING_CANCELLED;
  return awaits === undefined ? { text: 'running', style: 'cyan' } : awaitingCell(awaits);
}

export function outcomeCell(outcome: Outcome): Cell {
  const style = outcome.kind === 'succeeded' ? 'green' : outcome.kind === 'cancelled' ? 'yellow' : 'red';
  return { text: printable(outcomeInShort(outcome)), style };
}
