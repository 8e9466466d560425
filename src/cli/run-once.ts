import type { EngineEvent } from '../engine/ports.ts';
import { ForegroundRun } from '../foreground.ts';
import type { JobDefinition } from '../model.ts';
import { elapsed, outcomeInWords, printable } from '../observe/text.ts';
import { checkPatiently } from '../schedule/params.ts';
import { exit, Failure } from './exit.ts';
import { givenOf } from './given.ts';
import { jobOf } from './job-file.ts';
import { loadHere } from './meant-file.ts';
import { outcomeExit } from './outcome-exit.ts';
import type { Session } from './session.ts';
import { shardName } from '../shard.ts';

export interface RunOnceOptions {
  readonly file?: string;
  /** Of a node: its daemon knows the job file where none is here. */
  readonly stateDir?: string;
  readonly retry: boolean;
  readonly quiet?: boolean;
  /** Each `name=value`. */
  readonly with?: readonly string[];
}

type Sayer = (mark: 'begin' | 'well' | 'bad' | 'unable', text: string) => void;

/** Whoever closes the terminal wants the job to end too; QUIT is for those who cannot wait. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/** Runs one job here and now, attempts and all. Gives the exit code: the task's own where it has one. */
export async function runOnce(id: string, options: RunOnceOptions, session: Session): Promise<number> {
  const job = jobOf(id, await loadHere(options, session));
  const { policy } = job;
  const limit = options.retry ? policy.retry.limit : 0;
  const definition: JobDefinition = { ...job, policy: { ...policy, retry: { ...policy.retry, limit } } };
  const given = options.with && givenOf(options.with, job.params ?? {});
  const [wrong] = checkPatiently(job.params, given);
  if (wrong !== undefined) throw new Failure(exit.usage, printable(wrong.message), wrong.hint);
  const onEvent = teller(definition, sayer(options, session));
  const run = new ForegroundRun(definition, { environment: session.environment, given, onEvent });
  let interrupted: NodeJS.Signals | undefined;
  const interrupt = (signal: NodeJS.Signals): void => {
    interrupted ??= signal;
    run.interrupt();
    if (signal === 'SIGQUIT') run.interrupt();
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    return outcomeExit(await run.result(), interrupted);
  } catch (error) {
    throw noDirectory(error);
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}

/** A run needs a directory below that for temporary files; anything else is a mistake of ours. */
function noDirectory(error: unknown): unknown {
  const { syscall, message } = error as NodeJS.ErrnoException;
  if (syscall !== 'mkdtemp') return error;
  const text = `cannot make a directory for the run: ${printable(message)}`;
  return new Failure(exit.runFailed, text, 'name one that you can write to with TMPDIR');
}

/** Says what a person who waits for the run wants to know. */
function teller({ id, policy }: JobDefinition, say: Sayer): (event: EngineEvent) => void {
  const most = policy.retry.limit + 1;
  let told = '';
  const begun = (attempt: number): void =>
    say('begin', most > 1 ? `${id}, attempt ${attempt} of ${most}` : id);
  return (event) => {
    if (event.kind === 'run_claimed') begun(1);
    else if (event.kind === 'shard_changed') {
      if (event.change === 'finished' && event.shard.outcome !== undefined)
        told = `${id}: shard ${shardName(event.shard)} ${outcomeInWords(event.shard.outcome)}`;
    } else if (event.kind === 'retry_begun') begun(event.attempt);
    else if (event.kind === 'attempt_ended') {
      const { outcome, duration } = event;
      const timeless = outcome.kind === 'timed_out' || outcome.kind === 'not_started';
      told = `${id} ${outcomeInWords(outcome)}${timeless ? '' : ` after ${elapsed(duration)}`}`;
    } else if (event.kind === 'retry_scheduled') {
      const delay = Math.max(event.at - (event.run.attempts.at(-1)?.finishedAt ?? event.at), 0);
      say('bad', `${told}; attempt ${event.attempt} of ${most} in ${elapsed(delay)}`);
    } else if (event.kind === 'run_finished') {
      const { outcome } = event;
      const said =
        outcome.kind === 'cancelled' || event.run.shards !== undefined
          ? `${id} ${outcomeInWords(outcome)}`
          : told;
      const unable = outcome.kind === 'not_started' || outcome.kind === 'lost';
      say(outcome.kind === 'succeeded' ? 'well' : unable ? 'unable' : 'bad', said);
    }
  };
}

const marks = { begin: '▶', well: '✔', bad: '✖', unable: '✖' } as const;
const markStyles = { begin: 'cyan', well: 'green', bad: 'red', unable: 'red' } as const;

/** What we say goes to standard error, so that standard output is the job's alone. */
function sayer({ quiet }: RunOnceOptions, session: Session): Sayer {
  const paint = session.painter('err');
  return (mark, text) => {
    // A job that did not even start has nothing to say for itself.
    if (quiet === true && mark !== 'unable') return;
    session.err(`${paint(markStyles[mark], marks[mark])} ${printable(text)}\n`);
  };
}
