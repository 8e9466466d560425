import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Lateness in milliseconds of robfig/cron's firings due at one instant; undefined where Go or the module is not installed. */
export async function robfig(kind: 'noop' | 'shell', count: number): Promise<number[] | undefined> {
  const cwd = join(import.meta.dirname, 'robfig');
  // Only what is installed: a benchmark downloads nothing. A work file of the user's may say where the module lies.
  const env = { ...process.env, GOPROXY: 'off' };
  try {
    const { stdout } = await run('go', ['run', '.', kind, String(count)], {
      cwd,
      env,
      timeout: 60_000,
      maxBuffer: 1e8,
    });
    return (JSON.parse(stdout) as number[]).sort((a, b) => a - b);
  } catch {
    return undefined;
  }
}
