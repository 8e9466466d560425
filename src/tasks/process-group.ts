/** Process groups, as the kernel knows them. */
import { readdirSync, readFileSync } from 'node:fs';

/**
 * The group that a process leads, and what has left it: timeout(1), a shell with `set -m` and setsid(1) put what they
 * start in groups of their own, and a process may move to another. What descends from the leader is found there too,
 * when it is first signalled and each time after; what was orphaned before that is not.
 */
export class ProcessGroup {
  readonly #leader: number;
  /** What has left, as kill(2) names it (a negative number is a group); the start time of the process of that number. */
  readonly #strays = new Map<number, number | undefined>();

  /** `leader`: the process id, and the group's. */
  constructor(leader: number) {
    this.#leader = leader;
  }

  /** Sends signals, one after the other, to every process. Throws on a signal that does not exist. */
  signal(...signals: readonly string[]): void {
    this.#findStrays();
    for (const target of this.#targets()) for (const signal of signals) send(target, signal);
  }

  /** Whether any process is left; zombies count until they are reaped, which in a container may be never. */
  exists(): boolean {
    return this.#targets().some((target) => send(target, 0));
  }

  /** Whether any process still runs, zombies aside. Reads all of /proc, which takes some milliseconds. */
  runs(): boolean {
    const targets = new Set(this.#targets());
    return readdirSync('/proc').some((name) => {
      if (!/^\d+$/v.test(name)) return false;
      const [state = '', , group] = statFields(name) ?? [];
      return (targets.has(-Number(group)) || targets.has(Number(name))) && !/[ZX]/v.test(state);
    });
  }

  /** Without those whose number has become another's. (It cannot while anything is left of the group of that number.) */
  #targets(): number[] {
    const strays = Array.from(this.#strays).filter(([target, startTime]) => {
      const now = processStartTime(Math.abs(target));
      return now === undefined ? target < 0 : now === startTime;
    });
    return [-this.#leader, ...strays.map(([target]) => target)];
  }

  #findStrays(): void {
    const family = [this.#leader];
    for (const pid of family) family.push(...childrenOf(pid));
    const members = new Set(family);
    for (const pid of family) {
      const group = Number(statFields(String(pid))?.[2] ?? this.#leader);
      if (group === this.#leader) continue;
      // A group that none of the family founded is somebody else's.
      const target = members.has(group) ? -group : pid;
      if (!this.#strays.has(target)) this.#strays.set(target, processStartTime(Math.abs(target)));
    }
  }
}

/**
 * When a process started, in clock ticks since boot (field 22 of /proc/PID/stat): together with the process id it is
 * unique until the next boot. Undefined when there is no such process.
 */
export function processStartTime(pid: number): number | undefined {
  const fields = statFields(String(pid));
  return fields && Number(fields[19]);
}

/** Who started the process, or has inherited it; undefined when there is no such process. */
export function parentOf(pid: number): number | undefined {
  const fields = statFields(String(pid));
  return fields && Number(fields[1]);
}

/** True when there was something to signal, allowed or not. */
function send(target: number, signal: string | 0): boolean {
  try {
    return process.kill(target, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ESRCH') return false;
    if (code === 'EPERM') return true;
    throw error;
  }
}

/** Those that any thread of the process has started. None on a kernel without CONFIG_PROC_CHILDREN. */
function childrenOf(pid: number): number[] {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return []; // it has ended
  }
}

/** The fields of /proc/PID/stat from the third. */
function statFields(pid: string): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second is a name in brackets, which may hold blanks and brackets.
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined; // it has ended
  }
}
