/** How a run's output is shown: to whom, in which form, under which headings. */
import type { AttemptRecord, RunId, RunRecord } from '../model.ts';
import { elapsed, outcomeInWords, printable } from '../observe/text.ts';
import { jsonShower, rawShower, safeShower, type Shower } from './output-text.ts';
import type { PastSource } from './past-source.ts';
import type { Session } from './session.ts';

export interface LogsOptions {
  readonly file?: string;
  readonly stateDir?: string;
  readonly follow?: boolean;
  /** Lines. */
  readonly tail?: number;
  readonly attempt?: number;
  readonly raw?: boolean;
  readonly json?: boolean;
}

/** What shows a run's output, and where it goes. */
export interface LogView {
  readonly past: PastSource;
  readonly options: LogsOptions;
  readonly session: Session;
}

/** What writes the output of one attempt in the form that was asked for. */
export function showerOf(run: RunId, attempt: number, { options, session }: LogView): Shower {
  const write = (text: string | Uint8Array): boolean => session.out(text);
  if (options.json === true) return jsonShower(write, { run, attempt });
  return options.raw === true ? rawShower(write) : safeShower(write);
}

/** Which attempt follows, where there are several. On standard error: standard output is the job's. */
export function tellAttempt(run: RunRecord, attempt: AttemptRecord, { options, session }: LogView): void {
  if (options.json === true) return;
  const { outcome, duration, node, cancelledBy } = attempt;
  const now = cancelledBy === undefined ? 'running' : 'being cancelled';
  const end = outcome === undefined ? now : outcomeInWords(outcome);
  const after = duration === undefined || outcome?.kind === 'timed_out' ? '' : ` after ${elapsed(duration)}`;
  const text = `${run.jobId}, attempt ${attempt.number}${node === undefined ? '' : ` on ${node}`}: ${end}${after}`;
  session.err(`${session.painter('err')('cyan', '▶')} ${printable(text)}\n`);
}
