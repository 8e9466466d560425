/**
 * What became of an attempt under an earlier daemon. Its exit record says whether it was begun (exit-record.ts); process id and
 * start time say whether a process is still the one that was started.
 */
import { readdirSync, readFileSync, statSync, watch, type FSWatcher } from 'node:fs';
import { uptime } from 'node:os';
import { dirname } from 'node:path';
import type { AttemptSpec, Clock, KnownProcess, Recovery } from '../engine/ports.ts';
import type { Duration, Instant, Outcome } from '../model.ts';
import { fence, readRecord, type ExitRecord } from './exit-record.ts';
import type { LaunchEvent } from './launch.ts';
import { adoptProcess, attemptBase, type OutcomeOf, type ProcessServices } from './process-attempt.ts';
import { parentOf, processStartTime } from './process-group.ts';

/** Between two looks at a record that its supervisor is about to write. Milliseconds. */
const LOOK: Duration = 20;
/** Looks until nobody is expected to write it any more: a second. */
const LOOKS = 50;
/** Between looks at whether an adopted process is there, should nobody tell that its record has changed. Milliseconds. */
const RARELY: Duration = 5000;
/** Of the kernel's clock ticks, in which it tells start times; the same on every Linux since 2.6. */
const TICK: Duration = 10;

const LOST = 'It was under way when tsched ended; how it ended is not known.';

export interface RecoverPlan {
  readonly outcomeOf: OutcomeOf;
  /** Why a process was not started, by the step that its record names. */
  readonly explain: (step: readonly string[]) => Promise<string>;
}

/** Never rejects. */
export async function recoverProcess(
  services: ProcessServices,
  { spec, known }: { readonly spec: AttemptSpec; readonly known: KnownProcess },
  plan: RecoverPlan,
): Promise<Recovery> {
  const path = `${attemptBase(services, spec)}.exit`;
  if (known.pid !== undefined && isSame(known.pid, known.startTime)) {
    return running(services, { spec, pid: known.pid, path }, plan);
  }
  const record = await settled(services.clock, path);
  switch (record.kind) {
    case 'absent':
    case 'fenced':
      return { kind: 'never_begun' };
    case 'empty':
      return orphaned(services, { spec, path, pids: everyProcess() }, plan);
    case 'started':
      return orphaned(services, { spec, path, pids: known.pid === undefined ? [record.pid] : [] }, plan);
    case 'not_started':
      return ended({ kind: 'not_started', message: await plan.explain(record.step) }, path);
    case 'exited':
    case 'signalled':
      return ended(await plan.outcomeOf(record), path);
  }
}

/** The record once nobody is about to write it. `absent`: and nobody ever will. */
async function settled(clock: Clock, path: string): Promise<ExitRecord> {
  for (let looks = 1; ; looks += 1) {
    const record = readRecord(path);
    if (record.kind === 'absent' && isFenced(path)) return record;
    const isOpen =
      record.kind === 'absent' ||
      record.kind === 'empty' ||
      (record.kind === 'started' && processStartTime(record.pid) === undefined);
    if (!isOpen) return record;
    // What cannot be fenced may yet be begun by whoever was asked to.
    if (looks > LOOKS) return record.kind === 'absent' ? { kind: 'empty' } : record;
    await new Promise<void>((resolve) => void clock.after(LOOK, resolve));
  }
}

function isFenced(path: string): boolean {
  try {
    return fence(path);
  } catch (error) {
    // There is no directory for it, so nobody was asked to start it.
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

/** A process whose number the store was not told, or whose supervisor died: found by what it was given to know of its run. */
async function orphaned(
  services: ProcessServices,
  {
    spec,
    path,
    pids,
  }: { readonly spec: AttemptSpec; readonly path: string; readonly pids: readonly number[] },
  plan: RecoverPlan,
): Promise<Recovery> {
  // Between its fork and its exec it does not know yet.
  for (let looks = 1; pids.length > 0 && looks <= LOOKS / 2; looks += 1) {
    const pid = pids.find((each) => isOf(each, spec) || writes(each, `${attemptBase(services, spec)}.log`));
    if (pid !== undefined) return running(services, { spec, pid, path }, plan);
    if (!pids.some((each) => processStartTime(each) !== undefined)) break;
    await new Promise<void>((resolve) => void services.clock.after(LOOK, resolve));
  }
  const record = readRecord(path);
  if (record.kind === 'exited' || record.kind === 'signalled')
    return ended(await plan.outcomeOf(record), path);
  return { kind: 'ended', outcome: { kind: 'lost', message: LOST } };
}

function ended(outcome: Outcome, path: string): Recovery {
  const at = writtenAt(path);
  return at === undefined ? { kind: 'ended', outcome } : { kind: 'ended', outcome, at };
}

function running(
  services: ProcessServices,
  { spec, pid, path }: { readonly spec: AttemptSpec; readonly pid: number; readonly path: string },
  { outcomeOf }: RecoverPlan,
): Recovery {
  const startTime = processStartTime(pid) ?? 0;
  return {
    kind: 'running',
    pid,
    startTime,
    ranFor: Math.max(uptime() * 1000 - startTime * TICK, 0),
    follow: (report) => {
      const adopted = adoptProcess(services, spec, { pid, outcomeOf, report });
      new Follower({ clock: services.clock, path, pid, startTime }, (event) => adopted.hear(event)).begin();
      return adopted;
    },
  };
}

interface Followed {
  readonly clock: Clock;
  readonly path: string;
  readonly pid: number;
  readonly startTime: number;
}

/** Waits for the record of a process that somebody else started. */
class Follower {
  readonly #followed: Followed;
  readonly #listen: (event: LaunchEvent) => void;
  #watcher: FSWatcher | undefined;
  #callOff: (() => void) | undefined;
  /** Who will write the record. */
  #supervisor: number | undefined;
  #missing = false;
  #over = false;

  constructor(followed: Followed, listen: (event: LaunchEvent) => void) {
    this.#followed = followed;
    this.#listen = listen;
  }

  begin(): void {
    const { path, pid } = this.#followed;
    this.#supervisor = parentOf(pid);
    try {
      this.#watcher = watch(dirname(path), { persistent: false }, () => this.#look());
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      this.#watcher = undefined; // too many are watched: looking now and then does too
    }
    this.#lookLater(LOOK);
  }

  #look(): void {
    if (this.#over) return;
    const { path, pid, startTime } = this.#followed;
    const record = readRecord(path);
    if (record.kind === 'exited' || record.kind === 'signalled') return this.#end(record);
    if (isSame(pid, startTime)) return this.#lookLater(RARELY);
    // Its supervisor is about to write how it ended.
    if (this.#supervisor !== undefined && isSupervisor(this.#supervisor)) return this.#lookLater(5 * LOOK);
    if (this.#missing) return this.#end({ kind: 'lost', message: LOST });
    this.#missing = true;
    this.#lookLater(LOOKS * LOOK);
  }

  #lookLater(delay: Duration): void {
    this.#callOff?.();
    this.#callOff = this.#followed.clock.after(delay, () => this.#look());
  }

  #end(event: LaunchEvent): void {
    this.#over = true;
    this.#callOff?.();
    this.#watcher?.close();
    this.#listen(event);
  }
}

/** Without a start time to compare, a number is no proof. */
function isSame(pid: number, startTime: number | undefined): boolean {
  return startTime !== undefined && processStartTime(pid) === startTime;
}

/** Whether the process was started for this attempt, by its environment. */
function isOf(pid: number, { runId, attempt }: AttemptSpec): boolean {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
    return variables.includes(`TSCHED_RUN_ID=${runId}`) && variables.includes(`TSCHED_ATTEMPT=${attempt}`);
  } catch {
    return false; // it has ended, or is somebody else's
  }
}

/** Whether the file is its standard output. A spare process has no run in its environment: it is older than its run. */
function writes(pid: number, path: string): boolean {
  try {
    const [output, file] = [statSync(`/proc/${pid}/fd/1`), statSync(path)];
    return output.dev === file.dev && output.ino === file.ino;
  } catch {
    return false; // it has ended, or is somebody else's; or there is no such file
  }
}

/** Whether it is one of those that start processes and write down how they end, of this daemon or of an earlier one. */
function isSupervisor(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('tsched-spawner');
  } catch {
    return false; // it has ended
  }
}

function everyProcess(): number[] {
  return readdirSync('/proc').map(Number).filter(Boolean);
}

function writtenAt(path: string): Instant | undefined {
  const at = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return at === undefined ? undefined : Math.floor(at);
}
