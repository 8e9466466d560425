/** Runs a program for the daemon itself, through the spawner: the daemon forks for nobody. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../engine/ports.ts';
import type { Duration } from '../model.ts';
import { endOfFile } from './last-output.ts';
import type { LaunchEvent } from './launch.ts';
import { ProcessGroup } from './process-group.ts';
import type { Spawner } from './spawner.ts';

export interface CommandSpec {
  readonly argv: readonly string[];
  /** Absolute path. */
  readonly cwd: string;
  /** Added to the daemon's. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
}

const PATIENCE: Duration = 60_000;
/** Bytes of its output that are told when it fails. */
const LAST_WORDS = 500;

/** Gives what went wrong, if anything did. Never rejects. `directory`: where its files may be meanwhile, its own alone. */
export async function runCommand(
  { spawner, clock, directory }: { spawner: Spawner; clock: Clock; directory: string },
  { stdin, ...spec }: CommandSpec,
): Promise<string | undefined> {
  const file = (name: string): string => join(directory, name);
  const files = { outputPath: file('output'), stdinPath: file('stdin'), exitPath: file('exit') };
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(files.stdinPath, stdin, { mode: 0o600 });
    const ended = await launched(spawner, clock, { ...spec, ...files, inheritEnv: true, limits: {} });
    if (ended === undefined) return undefined;
    const said =
      (await endOfFile(files.outputPath, LAST_WORDS)).toString('utf8').trim().split('\n').at(-1) ?? '';
    return said === '' ? ended : `${ended}: ${said}`;
  } catch (error) {
    return (error as Error).message;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function launched(
  spawner: Spawner,
  clock: Clock,
  request: Parameters<Spawner['launch']>[0],
): Promise<string | undefined> {
  return new Promise((resolve) => {
    let callOff: (() => void) | undefined;
    let late = false;
    spawner.launch(request, (event) => {
      if (event.kind === 'started') {
        const group = new ProcessGroup(event.pid);
        callOff = clock.after(PATIENCE, () => {
          late = true;
          group.signal('SIGKILL');
        });
        return;
      }
      callOff?.();
      resolve(late ? `it took longer than ${PATIENCE / 1000} s` : problemOf(event));
    });
  });
}

function problemOf(event: Exclude<LaunchEvent, { kind: 'started' }>): string | undefined {
  switch (event.kind) {
    case 'exited':
      return event.exitCode === 0 ? undefined : `it ended with exit code ${event.exitCode}`;
    case 'signalled':
      return `it was killed by ${event.signal}`;
    case 'not_started':
    case 'lost':
      return event.message;
  }
}
