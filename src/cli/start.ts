import { availableParallelism } from 'node:os';
import { createApp, type App } from '../app.ts';
import type { LogFormat, Level } from '../observe/log.ts';
import { findJobFile } from './job-file.ts';
import type { Session } from './session.ts';
import { stateDirectory } from './state-directory.ts';

export interface StartOptions {
  readonly file?: string;
  readonly stateDir?: string;
  /** 0: no limit. */
  readonly maxConcurrentRuns?: number;
  /** Milliseconds. */
  readonly drain: number;
  readonly watch: boolean;
  readonly poll?: boolean;
  readonly logLevel: Level;
  readonly logFormat: LogFormat | 'auto';
  readonly logFile?: string;
}

/** Runs the daemon until it is told to stop. Gives its exit code. */
export async function start(
  path: string | undefined,
  options: StartOptions,
  session: Session,
): Promise<number> {
  const app = await createApp({
    file: findJobFile(path ?? options.file),
    stateDirectory: stateDirectory(options.stateDir, session.environment),
    maxConcurrentRuns: mostRuns(options.maxConcurrentRuns),
    drain: options.drain,
    watch: options.watch,
    poll: options.poll ?? false,
    log: {
      level: options.logLevel,
      format: options.logFormat,
      color: session.colorOn('out'),
      ...(options.logFile === undefined ? {} : { file: options.logFile }),
    },
    environment: session.environment,
    hostTimezone: session.hostTimezone,
  });
  listen(app);
  await app.start();
  return app.done;
}

/** Jobs mostly wait for something else than a processor; eight at once hurt no machine that runs Node. */
function mostRuns(asked: number | undefined): number {
  if (asked === 0) return Number.POSITIVE_INFINITY;
  return asked ?? Math.max(8, 2 * availableParallelism());
}

function listen(app: App): void {
  let asked = false;
  const stop = (): void => {
    void app.stop({ now: asked });
    asked = true;
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGQUIT', () => void app.stop({ now: true }));
  process.on('SIGHUP', () => void app.reload('SIGHUP'));
  process.on('SIGUSR2', () => void app.reload('SIGUSR2'));
}
