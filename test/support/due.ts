/** Jobs that are due together at a moment to come, however long the daemon takes to read them. */
import { writeFileSync } from 'node:fs';
import type { Daemon } from './daemon.ts';

interface DueOptions {
  /** Has a daemon that does not watch its job file read it. */
  readonly told?: () => void;
  /** How soon, in milliseconds, if that is enough. */
  readonly ahead?: number;
}

/** Gives a running daemon jobs that are due at the same moment, soon after it has taken them over: a new job starts at now. */
export async function dueTogether(
  daemon: Daemon,
  text: (at: string) => string,
  { told = () => undefined, ahead = 4000 }: DueOptions = {},
): Promise<void> {
  for (let by = ahead; ; by *= 2) {
    const due = Math.ceil((Date.now() + by) / 1000) * 1000;
    const known = daemon.events('jobs_applied').length;
    writeFileSync(daemon.file, text(new Date(due).toISOString()));
    told();
    const applied = await daemon.until('the jobs', () => daemon.events('jobs_applied')[known]);
    // By its own word, since what it does by then this process may see much later.
    if (Date.parse(applied.time) < due) return;
  }
}
