/** One attempt that is a process group: from its launch to the moment nothing of it is left. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { AttemptHandle, AttemptReport, AttemptSpec, Clock, StopReason } from '../engine/ports.ts';
import type { Outcome } from '../model.ts';
import { directoryOf } from '../shard.ts';
import { runEnvironment } from './environment.ts';
import type { Ending, LaunchEvent, LaunchRequest } from './launch.ts';
import type { OutputWatch, WatchedOutput } from './output.ts';
import { ProcessGroup, processStartTime } from './process-group.ts';
import type { Spawner } from './spawner.ts';

export interface OutputLines {
  readonly runId: string;
  readonly jobId: string;
  readonly attempt: number;
  /** As the process wrote them: control characters and all. */
  readonly lines: readonly string[];
}

/** What process attempts share. */
export interface ProcessServices {
  /** Has a directory for each run. */
  readonly runsDirectory: string;
  readonly clock: Clock;
  readonly spawner: Spawner;
  readonly outputs: OutputWatch;
  /** To files of the run, or to the daemon's own stdout and stderr. */
  readonly output: 'file' | 'inherit';
  readonly onOutput?: ((output: OutputLines) => void) | undefined;
}

/** What an ending means, unless the attempt was stopped. Must not reject. */
export type OutcomeOf = (ending: Ending) => Promise<Outcome>;

/** What is particular to a kind of task. */
export interface ProcessPlan {
  readonly argv: readonly string[];
  /** Variables beside those of every run. */
  readonly env?: Readonly<Record<string, string>>;
  /** Starts the process; by default the spawner does. */
  readonly launch?: (request: LaunchRequest, listen: (event: LaunchEvent) => void) => void;
  /** By default the exit code says it. */
  readonly outcomeOf?: OutcomeOf;
}

type Lost = Extract<LaunchEvent, { kind: 'lost' }>;

/** Between two looks at a process group that should be gone. Milliseconds. */
const LOOK_INTERVAL = 20;
/** Every so many looks are close ones. */
const CLOSER_LOOK = 5;
/** Looks until what a process left running in its group is told to go as well. */
const LEFTOVERS = 10;
/** Looks after KILL until what is still there counts as unkillable: it hangs in the kernel. */
const UNKILLABLE = 100;

/** Where the files of an attempt are, each with an ending of its own. */
export function attemptBase(
  { runsDirectory }: Pick<ProcessServices, 'runsDirectory'>,
  { runId, attempt }: Pick<AttemptSpec, 'runId' | 'attempt'>,
): string {
  return join(runsDirectory, directoryOf(runId), `attempt-${attempt}`);
}

/** Starts an attempt. Throws when its directory cannot be made. */
export function startProcess(
  services: ProcessServices,
  spec: AttemptSpec,
  { plan, report }: { plan: ProcessPlan; report: (report: AttemptReport) => void },
): AttemptHandle {
  const base = attemptBase(services, spec);
  makeDirectory(dirname(base));
  const request = requestOf(spec, { plan, base, output: services.output });
  const attempt = new ProcessAttempt(services, spec, { plan, report, outputPath: request.outputPath });
  const listen = (event: LaunchEvent): void => attempt.hear(event);
  if (plan.launch) plan.launch(request, listen);
  else services.spawner.launch(request, listen);
  return attempt;
}

/**
 * Takes up an attempt whose process an earlier daemon started; what becomes of it is told to `hear`. Reports as `startProcess`
 * does, but for `started`.
 */
export function adoptProcess(
  services: ProcessServices,
  spec: AttemptSpec,
  {
    pid,
    outcomeOf,
    report,
  }: {
    readonly pid: number;
    readonly outcomeOf: OutcomeOf;
    readonly report: (report: AttemptReport) => void;
  },
): AttemptHandle & { hear(event: LaunchEvent): void } {
  const outputPath = `${attemptBase(services, spec)}.log`;
  const tell = (each: AttemptReport): void => {
    if (each.kind === 'ended') report(each);
  };
  const attempt = new ProcessAttempt(services, spec, {
    plan: { argv: [], outcomeOf },
    report: tell,
    outputPath,
    isAdopted: true,
  });
  attempt.hear({ kind: 'started', pid });
  return attempt;
}

/** A single call where it can be; `recursive` takes several. */
export function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, 0o700);
  } catch (error) {
    // There since an earlier attempt; or the directory of all runs was removed.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      mkdirSync(directory, { recursive: true, mode: 0o700 });
  }
}

function requestOf(
  spec: AttemptSpec,
  { plan, base, output }: { plan: ProcessPlan; base: string; output: 'file' | 'inherit' },
): LaunchRequest {
  const { stdin, env: _, ...surroundings } = spec.surroundings;
  const stdinPath = `${base}.stdin`;
  if (stdin !== undefined) writeFileSync(stdinPath, stdin, { mode: 0o600 });
  return {
    ...surroundings,
    argv: plan.argv,
    env: { ...runEnvironment(spec), ...plan.env },
    ...(stdin !== undefined && { stdinPath }),
    ...(output === 'file' && { outputPath: `${base}.log` }),
    exitPath: `${base}.exit`,
  };
}

class ProcessAttempt implements AttemptHandle {
  readonly #services: ProcessServices;
  readonly #spec: AttemptSpec;
  readonly #plan: ProcessPlan;
  readonly #report: (report: AttemptReport) => void;
  readonly #output: WatchedOutput | undefined;
  #group: ProcessGroup | undefined;
  #reason: StopReason | undefined;
  #asked = false;
  #killed = false;
  #killedAt: number | undefined;
  #callOffKill: (() => void) | undefined;

  constructor(
    services: ProcessServices,
    spec: AttemptSpec,
    {
      plan,
      report,
      outputPath,
      isAdopted = false,
    }: {
      plan: ProcessPlan;
      report: (report: AttemptReport) => void;
      outputPath: string | undefined;
      isAdopted?: boolean;
    },
  ) {
    this.#services = services;
    this.#spec = spec;
    this.#plan = plan;
    this.#report = report;
    const { runId, jobId, attempt } = spec;
    if (outputPath !== undefined) {
      const listen = (lines: readonly string[]): void =>
        services.onOutput?.({ runId, jobId, attempt, lines });
      // What was written before, the daemon before has told.
      const from = isAdopted ? 'end' : 'beginning';
      this.#output = services.outputs.watch(outputPath, spec.output, { listen, from });
    }
  }

  stop(reason: StopReason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    if (this.#group !== undefined) this.#terminate(this.#group);
  }

  kill(reason: StopReason): void {
    this.#reason ??= reason;
    this.#callOffKill?.();
    this.#destroy();
  }

  hear(event: LaunchEvent): void {
    if (event.kind === 'started') this.#started(event.pid);
    else if (event.kind === 'not_started') void this.#end(event);
    else void this.#ended(event);
  }

  #started(pid: number): void {
    this.#group = new ProcessGroup(pid);
    const startTime = processStartTime(pid);
    this.#report({ kind: 'started', pid, ...(startTime !== undefined && { startTime }) });
    if (this.#killed) this.#destroy();
    else if (this.#reason !== undefined) this.#terminate(this.#group);
  }

  /** Asks the group to go, and makes it go after a while. */
  #terminate(group: ProcessGroup): void {
    const { killSignal, killAfter } = this.#spec;
    this.#asked = true;
    group.signal(signalName(killSignal), 'SIGCONT'); // a stopped process would not hear the first
    this.#callOffKill ??= this.#services.clock.after(killAfter, () => this.#destroy());
  }

  #destroy(): void {
    this.#killed = true;
    this.#asked = true;
    this.#group?.signal('SIGKILL');
  }

  async #ended(ending: Ending | Lost): Promise<void> {
    const reason = this.#reason;
    if (this.#group !== undefined) await this.#clear(this.#group);
    const outcome = reason === undefined ? await this.#outcomeOf(ending) : outcomeOfStop(reason);
    await this.#end(outcome);
  }

  /** Resolves when nothing of the group runs any more, or nothing that even KILL could end. */
  async #clear(group: ProcessGroup): Promise<void> {
    for (let looks = 1; group.exists(); looks += 1) {
      await this.#pause();
      // Zombies count as existing until someone reaps them, so look more closely now and then.
      if (looks % CLOSER_LOOK !== 0) continue;
      if (!group.runs()) return;
      if (this.#killedAt !== undefined && looks - this.#killedAt > UNKILLABLE) return;
      if (looks >= LEFTOVERS && !this.#asked) this.#terminate(group);
      if (this.#killed) this.#killedAt ??= looks;
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#services.clock.after(LOOK_INTERVAL, resolve);
    });
  }

  async #outcomeOf(ending: Ending | Lost): Promise<Outcome> {
    if (ending.kind === 'lost') return ending;
    if (this.#plan.outcomeOf) return this.#plan.outcomeOf(ending);
    return outcomeOfProcess(ending, this.#spec.successExitCodes);
  }

  async #end(outcome: Outcome): Promise<void> {
    this.#group = undefined; // the number may be another's from now on
    this.#callOffKill?.();
    await this.#output?.finish(outcome.kind === 'succeeded');
    this.#report({ kind: 'ended', outcome });
  }
}

/** What the end of a process means to its attempt. */
export function outcomeOfProcess(ending: Ending, successExitCodes: readonly number[]): Outcome {
  if (ending.kind === 'signalled') {
    const { signal } = ending;
    return {
      kind: 'killed',
      signal,
      ...(signal === 'SIGKILL' && { hint: 'killed from outside: out of memory?' }),
    };
  }
  const { exitCode } = ending;
  if (successExitCodes.includes(exitCode)) return { kind: 'succeeded', exitCode };
  return {
    kind: 'failed',
    exitCode,
    ...(exitCode === 127 && { hint: 'a shell says 127 when it does not find a command' }),
  };
}

/** What the end of an attempt that was stopped is. */
export function outcomeOfStop(reason: StopReason): Outcome {
  return reason.kind === 'timed_out'
    ? { kind: 'timed_out', after: reason.after }
    : { kind: 'cancelled', by: reason.by };
}

function signalName(signal: string): string {
  return signal.startsWith('SIG') ? signal : `SIG${signal}`;
}
