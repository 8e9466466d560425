import { constants } from 'node:os';
import type { EngineEvent } from '../engine/ports.ts';
import { ForegroundRun } from '../foreground.ts';
import type { JobDefinition, Outcome } from '../model.ts';
import { elapsed, outcomeInWords, printable } from '../observe/text.ts';
import { jobOf, loadJobs } from './job-file.ts';
import type { Session } from './session.ts';

export interface RunOnceOptions {
  readonly file?: string;
  readonly retry: boolean;
  readonly quiet?: boolean;
}

type Sayer = (mark: 'begin' | 'well' | 'bad', text: string) => void;

/** Runs one job here and now, attempts and all. Gives the exit code: the task's own where it has one. */
export async function runOnce(id: string, options: RunOnceOptions, session: Session): Promise<number> {
  const job = jobOf(id, await loadJobs(options.file, session));
  const { policy } = job;
  const limit = options.retry ? policy.retry.limit : 0;
  const definition: JobDefinition = { ...job, policy: { ...policy, retry: { ...policy.retry, limit } } };
  const onEvent = teller(definition, sayer(options, session));
  const run = new ForegroundRun(definition, { environment: session.environment, onEvent });
  let interrupted: NodeJS.Signals | undefined;
  const interrupt = (signal: NodeJS.Signals): void => {
    interrupted ??= signal;
    run.interrupt();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
  try {
    return exitCodeOf(await run.result(), interrupted);
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
  }
}

/** Says what a person who waits for the run wants to know. */
function teller({ id, policy }: JobDefinition, say: Sayer): (event: EngineEvent) => void {
  const most = policy.retry.limit + 1;
  let told = '';
  const begun = (attempt: number): void =>
    say('begin', most > 1 ? `${id}, attempt ${attempt} of ${most}` : id);
  return (event) => {
    if (event.kind === 'run_claimed') begun(1);
    else if (event.kind === 'retry_begun') begun(event.attempt);
    else if (event.kind === 'attempt_ended') {
      const { outcome, duration } = event;
      told = `${id} ${outcomeInWords(outcome)}${outcome.kind === 'timed_out' ? '' : ` after ${elapsed(duration)}`}`;
    } else if (event.kind === 'retry_scheduled') {
      const delay = Math.max(event.at - (event.run.attempts.at(-1)?.finishedAt ?? event.at), 0);
      say('bad', `${told}; attempt ${event.attempt} of ${most} in ${elapsed(delay)}`);
    } else if (event.kind === 'run_finished') {
      const { outcome } = event;
      const said = outcome.kind === 'cancelled' ? `${id} ${outcomeInWords(outcome)}` : told;
      say(outcome.kind === 'succeeded' ? 'well' : 'bad', said);
    }
  };
}

/** As `timeout` and `env` of coreutils have them, so that scripts need not learn another set. */
function exitCodeOf(outcome: Outcome, signal: NodeJS.Signals | undefined): number {
  switch (outcome.kind) {
    case 'succeeded':
      return outcome.exitCode ?? 0;
    case 'failed':
      return outcome.exitCode;
    case 'killed':
      return signalCode(outcome.signal);
    case 'timed_out':
      return 124;
    case 'threw':
      return 1;
    case 'cancelled':
      return signalCode(signal ?? 'SIGTERM');
    case 'not_started':
      return notStartedCode(outcome.message);
    case 'lost':
      return 125;
  }
}

/** By the words of tasks/launch-problem.ts; a test holds the two together. */
function notStartedCode(message: string): number {
  if (/^There is no (?:file|command) /.test(message)) return 127;
  return /^The (?:file|command|interpreter) /.test(message) ? 126 : 125;
}

function signalCode(signal: string): number {
  return 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
}

const marks = { begin: '▶', well: '✔', bad: '✖' } as const;
const markStyles = { begin: 'cyan', well: 'green', bad: 'red' } as const;

/** What we say goes to standard error, so that standard output is the job's alone. */
function sayer({ quiet }: RunOnceOptions, session: Session): Sayer {
  if (quiet === true) return () => undefined;
  const paint = session.painter('err');
  return (mark, text) => session.err(`${paint(markStyles[mark], marks[mark])} ${printable(text)}\n`);
}
