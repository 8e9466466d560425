import type { AppOptions, DaemonApp } from '../app-options.ts';
import { createApp, JobFileRefused } from '../app.ts';
import type { LogFormat, Level } from '../observe/log.ts';
import { printable } from '../observe/text.ts';
import { StoreTrouble } from '../store/sqlite/connection.ts';
import { StateDirectoryRefused } from '../store/state-directory.ts';
import { apiSettings, type ApiOptions } from './api-settings.ts';
import { exit, Failure } from './exit.ts';
import { fileIfAny, findJobFile } from './find-file.ts';
import { refused } from './job-file.ts';
import type { Session } from './session.ts';
import { stateDirectory } from './state-directory.ts';
import { storeSettings, type StoreOptions } from './store-settings.ts';
import { databaseRefused, whenReached } from './store-trouble.ts';
import { version } from './version.ts';
import { wording } from './wording.ts';

/** What a daemon and a worker have in common. */
interface CommonOptions extends ApiOptions, StoreOptions {
  readonly stateDir?: string;
  /** Milliseconds. */
  readonly drain: number;
  readonly logLevel: Level;
  readonly logFormat: LogFormat | 'auto';
  readonly logFile?: string;
}

export interface StartOptions extends CommonOptions {
  readonly file?: string;
  readonly ephemeral?: boolean;
  /** 0: no limit. */
  readonly maxConcurrentRuns: number;
  /** 0: no limit. */
  readonly maxProcessRuns: number;
  /** 0: no limit. */
  readonly maxThreadRuns: number;
  readonly watch: boolean;
  readonly poll?: boolean;
  readonly publicUrl?: string;
  readonly heartbeatUrl?: string;
}

/** Ask to read the job file again. Their default is the end of the process, so they are heard from the first moment on. */
const RELOADS = ['SIGHUP', 'SIGUSR2'] as const;

/** Where a node of a cluster looks for its copy of the job file when it has none yet. */
const USUAL_PLACE = '/etc/tsched/jobs.yaml';

/** Runs the daemon until it is told to stop. Gives its exit code. */
export async function start(
  path: string | undefined,
  options: StartOptions,
  session: Session,
): Promise<number> {
  // chokidar looks for it itself.
  if (options.poll === true) process.env.CHOKIDAR_USEPOLLING = '1';
  const store = storeSettings(options, true, session);
  if (store !== undefined && options.ephemeral === true)
    throw new Failure(exit.usage, 'with --store the database keeps the history', 'leave out --ephemeral');
  const named = path ?? options.file;
  const file = store === undefined ? findJobFile(named) : (fileIfAny(named) ?? USUAL_PLACE);
  return run(
    {
      ...common(options, session),
      file,
      ephemeral: options.ephemeral === true,
      maxConcurrentRuns: bound(options.maxConcurrentRuns),
      maxProcessRuns: bound(options.maxProcessRuns),
      maxThreadRuns: bound(options.maxThreadRuns),
      watch: options.watch,
      ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
      ...(options.heartbeatUrl === undefined ? {} : { heartbeatUrl: options.heartbeatUrl }),
      ...(store === undefined ? {} : { store }),
    },
    session,
  );
}

/** Runs a node that only works, until it is told to stop. Gives its exit code. */
export function work(options: CommonOptions, session: Session): Promise<number> {
  const store = storeSettings(options, false, session);
  if (store === undefined) {
    const hint = 'name it with --store, --store-file or $TSCHED_STORE; a daemon on its own is tsched start';
    throw new Failure(exit.usage, 'a worker needs the database of its cluster', hint);
  }
  return run({ ...common(options, session), ...WORKERS, store }, session);
}

/** What of a daemon's settings is the conductor's affair. */
const WORKERS = {
  file: '',
  ephemeral: false,
  maxConcurrentRuns: Number.POSITIVE_INFINITY,
  watch: false,
} as const;

function common(
  options: CommonOptions,
  session: Session,
): Pick<
  AppOptions,
  'stateDirectory' | 'version' | 'drain' | 'serve' | 'log' | 'environment' | 'hostTimezone'
> {
  const state = stateDirectory(options.stateDir, session.environment);
  return {
    stateDirectory: state,
    version,
    drain: options.drain,
    ...apiSettings(options, state, session),
    log: {
      level: options.logLevel,
      format: options.logFormat,
      color: session.colorOn('out'),
      ...(options.logFile === undefined ? {} : { file: options.logFile }),
    },
    environment: session.environment,
    hostTimezone: session.hostTimezone,
  };
}

async function run(options: AppOptions, session: Session): Promise<number> {
  const asked: string[] = [];
  const early = (signal: string): void => void asked.push(signal);
  for (const signal of RELOADS) process.on(signal, early);
  const app = await made(options, session);
  listen(app);
  for (const signal of RELOADS) process.off(signal, early);
  try {
    await app.start();
  } catch (error) {
    throw databaseRefused(error) ?? error;
  }
  for (const signal of asked.slice(0, 1)) void app.reload(signal);
  return app.done;
}

async function made(options: AppOptions, session: Session): Promise<DaemonApp> {
  try {
    return await makeApp(options, session);
  } catch (error) {
    if (error instanceof JobFileRefused) throw refused(options.file, error.result, session);
    throw databaseRefused(error) ?? stateRefused(error) ?? notMade(error, options);
  }
}

/** What belongs to clusters is loaded for their nodes alone. */
async function makeApp({ store, ...options }: AppOptions, session: Session): Promise<DaemonApp> {
  if (store === undefined) return createApp(options);
  const { createClusterApp } = await import('../cluster-app.ts');
  const { serve = { wording: wording(session.hostTimezone) } } = options;
  return whenReached(() => createClusterApp({ ...options, store, serve }), session);
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
function notMade(error: unknown, { log, stateDirectory: state }: AppOptions): unknown {
  const { code, path, message } = error as NodeJS.ErrnoException;
  if (code === undefined || path === undefined) return error;
  const forbidden = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
  const what = path === log.file ? 'the log file' : 'the state directory';
  const hint =
    path === log.file ? 'name another with --log-file' : `name another than ${state} with --state-dir`;
  const text = `cannot make ${what}: ${printable(message)}`;
  return new Failure(forbidden ? exit.notAllowed : exit.cannotCreate, text, hint);
}

function listen(app: DaemonApp): void {
  // When all is over. By itself Node would first give the signals back to the system: the next one would be what ended the daemon.
  process.on('exit', (code) => process.exit(code));
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
