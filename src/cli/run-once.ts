import { randomUUIDv7 } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../engine/clock.ts';
import type { AttemptHandle, AttemptSpec, Clock, Executor, StopReason } from '../engine/ports.ts';
import type { Instant, JobDefinition, Outcome } from '../model.ts';
import { elapsed, outcomeInWords, printable } from '../observe/text.ts';
import { nextAttempt } from '../schedule/retry.ts';
import { createExecutor } from '../tasks/executor.ts';
import { jobOf, loadJobs } from './job-file.ts';
import type { Session } from './session.ts';

export interface RunOnceOptions {
  readonly file?: string;
  readonly retry: boolean;
  readonly quiet?: boolean;
}

const stopped: StopReason = { kind: 'cancelled', by: 'operator' };

/** Runs one job here and now, attempts and all. Gives the exit code: the task's own where it has one. */
export async function runOnce(id: string, options: RunOnceOptions, session: Session): Promise<number> {
  const job = jobOf(id, await loadJobs(options.file, session));
  const directory = mkdtempSync(join(tmpdir(), 'tsched-run-once-'));
  const executor = createExecutor({
    runsDirectory: directory,
    clock: systemClock,
    nodePath: process.execPath,
    inheritedEnvironment: session.environment,
    output: 'inherit',
  });
  const run = new ForegroundRun(job, { executor, clock: systemClock, say: sayer(options, session) });
  const interrupt = (signal: NodeJS.Signals): void => run.interrupt(signal);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
  try {
    return await run.result(options.retry);
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
    await executor.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Surroundings {
  readonly executor: Executor;
  readonly clock: Clock;
  readonly say: (mark: 'begin' | 'well' | 'bad', text: string) => void;
}

/** The attempts of one run, until one succeeds, no more are due, or somebody stops it. */
class ForegroundRun {
  readonly #job: JobDefinition;
  readonly #around: Surroundings;
  readonly #runId = randomUUIDv7();
  readonly #askedAt: Instant;
  #attempt: AttemptHandle | undefined;
  #wake: (() => void) | undefined;
  #signal: NodeJS.Signals | undefined;

  constructor(job: JobDefinition, around: Surroundings) {
    this.#job = job;
    this.#around = around;
    this.#askedAt = around.clock.now();
  }

  /** The first asks the attempt to end, the second kills it; while none is active, either ends the run. */
  interrupt(signal: NodeJS.Signals): void {
    if (this.#signal === undefined) this.#attempt?.stop(stopped);
    else this.#attempt?.kill(stopped);
    this.#signal ??= signal;
    this.#wake?.();
  }

  async result(retry: boolean): Promise<number> {
    const { policy, id } = this.#job;
    const { clock, say } = this.#around;
    const most = retry ? policy.retry.limit + 1 : 1;
    const startedAt = clock.monotonic();
    for (let number = 1; ; number += 1) {
      say('begin', `${id}${most > 1 ? `, attempt ${number} of ${most}` : ''}`);
      const attemptAt = clock.monotonic();
      const outcome = await this.#try(number);
      const decision = nextAttempt(
        { ...policy.retry, limit: retry ? policy.retry.limit : 0 },
        { attempt: number, outcome },
        Math.random,
      );
      const well = outcome.kind === 'succeeded';
      const after = elapsed(clock.monotonic() - (well ? startedAt : attemptAt));
      const told = `${id} ${outcomeInWords(outcome)}${outcome.kind === 'timed_out' ? '' : ` after ${after}`}`;
      if (decision.kind === 'finish' || this.#signal !== undefined) {
        say(well ? 'well' : 'bad', told);
        return exitCodeOf(outcome, this.#signal);
      }
      say('bad', `${told}; attempt ${number + 1} of ${most} in ${elapsed(decision.delay)}`);
      await this.#pause(decision.delay);
      if (this.#signal !== undefined) return signalCode(this.#signal);
    }
  }

  #try(number: number): Promise<Outcome> {
    const { executor, clock } = this.#around;
    const { timeout } = this.#job.policy;
    return new Promise((resolve) => {
      let ended = false;
      let cancelTimeout: (() => void) | undefined;
      const handle = executor.start(this.#spec(number), (report) => {
        if (report.kind !== 'ended') return;
        ended = true;
        cancelTimeout?.();
        this.#attempt = undefined;
        resolve(report.outcome);
      });
      if (ended) return; // before `start` returned: there was nothing to run
      this.#attempt = handle;
      if (timeout !== undefined) {
        cancelTimeout = clock.after(timeout, () => handle.stop({ kind: 'timed_out', after: timeout }));
      }
    });
  }

  #spec(attempt: number): AttemptSpec {
    const { id, task, surroundings, output, policy } = this.#job;
    return {
      runId: this.#runId,
      jobId: id,
      attempt,
      scheduledAt: this.#askedAt,
      previousSuccessAt: undefined,
      cause: 'manual',
      task,
      surroundings,
      output,
      successExitCodes: policy.successExitCodes,
      killSignal: policy.killSignal,
      killAfter: policy.killAfter,
    };
  }

  #pause(delay: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#around.clock.after(delay, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
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
function sayer({ quiet }: RunOnceOptions, session: Session): Surroundings['say'] {
  if (quiet === true) return () => undefined;
  const paint = session.painter('err');
  return (mark, text) => session.err(`${paint(markStyles[mark], marks[mark])} ${printable(text)}\n`);
}
