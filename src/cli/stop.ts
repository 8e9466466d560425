import { systemClock } from '../engine/clock.ts';
import type { Duration } from '../model.ts';
import { printable, printableJson } from '../observe/text.ts';
import { isLocked } from '../store/lock.ts';
import { readDaemonFile } from '../store/daemon-file.ts';
import { statePaths } from '../store/state-directory.ts';
import { Client, Refused, type ClientOptions } from './client.ts';
import type { ServerEvent } from './event-stream.ts';
import { exit, isFailure } from './exit.ts';
import type { Session } from './session.ts';
import { stateDirectory } from './state-directory.ts';
import type { ToldRun, ToldStop } from './told.ts';

export interface StopOptions extends ClientOptions {
  /** Kills active runs. */
  readonly now?: boolean;
  /** Waits for them as long as they take. */
  readonly drain?: boolean;
  readonly json?: boolean;
}

/** Runs that are named; a thousand help nobody. */
const MOST = 10;

/** Has the daemon stop, and waits until it has: another may start then. Gives the exit code. */
export async function stop(options: StopOptions, session: Session): Promise<number> {
  const client = new Client(options, session);
  const unwanted = new AbortController();
  const events = await eventsOf(client, unwanted.signal);
  const { now = false, drain = false } = options;
  const { pid, cluster } = await client.post<ToldStop>('/stop', { now, drain });
  if (cluster) {
    // What happens now happens to the cluster, of which this node is no part any more.
    unwanted.abort();
    await goneFrom(client);
  } else if (events === undefined) {
    session.out(
      options.json === true ? `${printableJson({ stopped: false, pid })}\n` : 'tsched is stopping\n',
    );
    return exit.ok;
  } else {
    if (options.json !== true && !now) await tellActive(client, session);
    for await (const { name, data } of events) {
      if (name === 'run_finished' && options.json !== true) tellEnd((data as { run: ToldRun }).run, session);
    }
  }
  if (client.isLocal) await letGo(pid, options, session);
  session.out(
    options.json === true
      ? `${printableJson({ stopped: true, pid })}\n`
      : `tsched (pid ${pid}) has stopped\n`,
  );
  return exit.ok;
}

/** Undefined where all streams are taken, or no node conducts: the daemon is stopped nonetheless. */
async function eventsOf(
  client: Client,
  signal: AbortSignal,
): Promise<AsyncIterable<ServerEvent> | undefined> {
  try {
    return await client.events('/events', { signal });
  } catch (error) {
    if (error instanceof Refused && (error.reason === 'busy' || error.reason === 'no_conductor'))
      return undefined;
    throw error;
  }
}

/** A node answers until what it runs has ended. */
async function goneFrom(client: Client): Promise<void> {
  for (;;) {
    try {
      await client.get('/session');
    } catch (error) {
      if (isFailure(error) && !(error instanceof Refused)) return;
      throw error;
    }
    await new Promise<void>((resolve) => void systemClock.after(GONE_LOOK, resolve));
  }
}

async function tellActive(client: Client, session: Session): Promise<void> {
  const { runs } = await activeRuns(client);
  if (runs.length === 0) return;
  const names = runs.slice(0, MOST).map(({ jobId }) => printable(jobId));
  session.err(`tsched: waiting for ${names.join(', ')}${runs.length > MOST ? ', …' : ''}\n`);
}

/** None when it has stopped before that could be asked. */
async function activeRuns(client: Client): Promise<{ readonly runs: readonly ToldRun[] }> {
  try {
    return await client.get(`/runs?status=active&limit=${MOST + 1}`);
  } catch (error) {
    if (isFailure(error)) return { runs: [] };
    throw error;
  }
}

function tellEnd({ jobId, id }: ToldRun, session: Session): void {
  session.err(`tsched: ${printable(jobId)} has ended (run ${id})\n`);
}

/** Between two looks at whether a node still answers. */
const GONE_LOOK: Duration = 200;
/** Between two looks at the lock, and for how long it is looked at. */
const LOOK: Duration = 20;
const LONGEST: Duration = 10_000;

/** The API closes a moment before the daemon lets go of its state directory. */
async function letGo(pid: number, options: StopOptions, session: Session): Promise<void> {
  const { lock, daemon } = statePaths(stateDirectory(options.stateDir, session.environment));
  if (readDaemonFile(daemon)?.pid !== pid) return; // of another state directory than is known here
  for (let waited = 0; waited < LONGEST && isLocked(lock); waited += LOOK) {
    await new Promise<void>((resolve) => void systemClock.after(LOOK, resolve));
  }
}
