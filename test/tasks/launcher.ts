import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { systemClock } from '../../src/engine/clock.ts';
import type { LaunchEvent, LaunchRequest } from '../../src/tasks/launch.ts';
import { createSpawner, type Spawner } from '../../src/tasks/spawner.ts';
import { later, temporaryDirectory } from './harness.ts';

export interface Launched {
  readonly events: LaunchEvent[];
  readonly end: Promise<LaunchEvent>;
  readonly pid: Promise<number>;
  readonly base: string;
}

/** A spawner, and a short way to have it start shell lines. */
export function launcher(
  shell?: readonly string[],
  environment: Record<string, string | undefined> = process.env,
): {
  spawner: Spawner;
  directory: string;
  launch: (script: string, more?: Partial<LaunchRequest>) => Launched;
} {
  const directory = temporaryDirectory();
  const spawner = createSpawner({ environment, clock: systemClock, ...(shell && { argv: shell }) });
  later(() => spawner.close());
  let count = 0;
  const launch = (script: string, more: Partial<LaunchRequest> = {}): Launched => {
    count += 1;
    const base = join(directory, String(count));
    const events: LaunchEvent[] = [];
    const end = Promise.withResolvers<LaunchEvent>();
    const pid = Promise.withResolvers<number>();
    const request = {
      argv: ['/bin/sh', '-c', script],
      cwd: '/',
      env: {},
      inheritEnv: true,
      limits: {},
      exitPath: `${base}.exit`,
      outputPath: `${base}.log`,
      ...more,
    };
    spawner.launch(request, (event) => {
      events.push(event);
      if (event.kind === 'started') pid.resolve(event.pid);
      else end.resolve(event);
    });
    return { events, end: end.promise, pid: pid.promise, base };
  };
  return { spawner, directory, launch };
}

function available(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}

const known: [string, string[]][] = [
  ['perl', ['perl']],
  ['bash', ['bash', '--norc', '-p']],
  ['dash', ['dash']],
  ['busybox', ['busybox', 'sh']],
];
/** Those that are here. What else sh may be is one of these, or has not been met. */
export const shells = known.filter(([name]) => available(name));
