import { createApp, JobFileRefused, type App } from '../app.ts';
import type { LogFormat, Level } from '../observe/log.ts';
import { printable } from '../observe/text.ts';
import { StoreTrouble } from '../store/sqlite/connection.ts';
import { StateDirectoryRefused } from '../store/state-directory.ts';
import { apiSettings, type ApiOptions } from './api-settings.ts';
import { exit, Failure } from './exit.ts';
import { findJobFile } from './find-file.ts';
import { refused } from './job-file.ts';
import type { Session } from './session.ts';
import { stateDirectory } from './state-directory.ts';
import { version } from './version.ts';

export interface StartOptions extends ApiOptions {
  readonly file?: string;
  readonly stateDir?: string;
  readonly ephemeral?: boolean;
  /** 0: no limit. */
  readonly maxConcurrentRuns: number;
  /** 0: no limit. */
  readonly maxProcessRuns: number;
  /** 0: no limit. */
  readonly maxThreadRuns: number;
  /** Milliseconds. */
  readonly drain: number;
  readonly watch: boolean;
  readonly poll?: boolean;
  readonly publicUrl?: string;
  readonly heartbeatUrl?: string;
  readonly logLevel: Level;
  readonly logFormat: LogFormat | 'auto';
  readonly logFile?: string;
}

/** Ask to read the job file again. Their default is the end of the process, so they are heard from the first moment on. */
const RELOADS = ['SIGHUP', 'SIGUSR2'] as const;

/** Runs the daemon until it is told to stop. Gives its exit code. */
export async function start(
  path: string | undefined,
  options: StartOptions,
  session: Session,
): Promise<number> {
  // chokidar looks for it itself.
  if (options.poll === true) process.env.CHOKIDAR_USEPOLLING = '1';
  const file = findJobFile(path ?? options.file);
  const asked: string[] = [];
  const early = (signal: string): void => void asked.push(signal);
  for (const signal of RELOADS) process.on(signal, early);
  const app = await make(file, options, session);
  listen(app);
  for (const signal of RELOADS) process.off(signal, early);
  await app.start();
  for (const signal of asked.slice(0, 1)) void app.reload(signal);
  return app.done;
}

async function make(file: string, options: StartOptions, session: Session): Promise<App> {
  const state = stateDirectory(options.stateDir, session.environment);
  try {
    return await createApp({
      file,
      stateDirectory: state,
      ephemeral: options.ephemeral === true,
      version,
      maxConcurrentRuns: bound(options.maxConcurrentRuns),
      maxProcessRuns: bound(options.maxProcessRuns),
      maxThreadRuns: bound(options.maxThreadRuns),
      drain: options.drain,
      watch: options.watch,
      ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
      ...(options.heartbeatUrl === undefined ? {} : { heartbeatUrl: options.heartbeatUrl }),
      ...apiSettings(options, state, session),
      log: {
        level: options.logLevel,
        format: options.logFormat,
        color: session.colorOn('out'),
        ...(options.logFile === undefined ? {} : { file: options.logFile }),
      },
      environment: session.environment,
      hostTimezone: session.hostTimezone,
    });
  } catch (error) {
    if (error instanceof JobFileRefused) throw refused(file, error.result, session);
    throw stateRefused(error) ?? notMade(error, options, state);
  }
}

function bound(number: number): number {
  return number === 0 ? Number.POSITIVE_INFINITY : number;
}

function stateRefused(error: unknown): Failure | undefined {
  if (error instanceof StateDirectoryRefused) {
    const isHeld = error.reason === 'held';
    const hint = isHeld
      ? 'stop that one first, or give this one its own --state-dir'
      : 'name another with --state-dir';
    return new Failure(isHeld ? exit.alreadyRunning : exit.notAllowed, printable(error.message), hint);
  }
  if (!(error instanceof StoreTrouble) || error.kind === 'bug') return undefined;
  const text = `the history cannot be used: ${printable(error.message)}`;
  return new Failure(
    exit.cannotCreate,
    text,
    error.hint ?? 'make room, or name another directory with --state-dir',
  );
}

/** What the system refused: a directory or a log file that cannot be made. Anything else is a mistake of ours. */
function notMade(error: unknown, { logFile }: StartOptions, state: string): unknown {
  const { code, path, message } = error as NodeJS.ErrnoException;
  if (code === undefined || path === undefined) return error;
  const forbidden = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
  const what = path === logFile ? 'the log file' : 'the state directory';
  const hint =
    path === logFile ? 'name another with --log-file' : `name another than ${state} with --state-dir`;
  const text = `cannot make ${what}: ${printable(message)}`;
  return new Failure(forbidden ? exit.notAllowed : exit.cannotCreate, text, hint);
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
  for (const signal of RELOADS) {
    process.on(signal, () => {
      if (signal === 'SIGHUP') app.reopenLog();
      void app.reload(signal);
    });
  }
}
