/** Process groups, as the kernel knows them. */
import { readdirSync, readFileSync } from 'node:fs';

/** Sends a signal to every process of a group. False when there is none left. Throws on a signal that does not exist. */
export function signalGroup(group: number, signal: string): boolean {
  try {
    return process.kill(-group, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ESRCH') return false;
    if (code === 'EPERM') return true;
    throw error;
  }
}

/** Whether any process of a group is left; zombies count until they are reaped, which in a container may be never. */
export function groupExists(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether any process of a group still runs, zombies aside. Reads all of /proc, which takes some milliseconds. */
export function groupRuns(group: number): boolean {
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/v.test(name)) return false;
    const [state = '', , itsGroup] = statFields(name) ?? [];
    return Number(itsGroup) === group && !/[ZX]/v.test(state);
  });
}

/**
 * When a process started, in clock ticks since boot (field 22 of /proc/PID/stat): together with the process id it is
 * unique until the next boot. Undefined when there is no such process.
 */
export function processStartTime(pid: number): number | undefined {
  const fields = statFields(String(pid));
  return fields && Number(fields[19]);
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
