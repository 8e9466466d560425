import { tellBegun, type BegunOptions } from './begun-run.ts';
import { Client, type ClientOptions } from './client.ts';
import { givenOf } from './given.ts';
import type { Session } from './session.ts';
import type { ToldJob, ToldRun } from './told.ts';

export interface TriggerOptions extends ClientOptions, BegunOptions {
  /** Each `name=value`. */
  readonly with?: readonly string[];
}

/** Asks the daemon to run a job now. Gives the exit code. */
export async function trigger(id: string, options: TriggerOptions, session: Session): Promise<number> {
  const client = new Client(options, session);
  const path = `/jobs/${encodeURIComponent(id)}`;
  const { params = null } = options.with === undefined ? {} : await client.get<ToldJob>(path);
  const body = options.with && { with: givenOf(options.with, params?.properties ?? {}) };
  const run = await client.post<ToldRun>(`${path}/runs`, body, onlyOnce());
  return tellBegun(run, options, { client, session });
}

/** Asks the daemon to run the job of a run that is over once more, with what that run was given. Gives the exit code. */
export async function retry(
  id: string,
  options: ClientOptions & BegunOptions,
  session: Session,
): Promise<number> {
  const client = new Client(options, session);
  const run = await client.post<ToldRun>(`/runs/${encodeURIComponent(id)}/retry`, undefined, onlyOnce());
  return tellBegun(run, options, { client, session });
}

/** Should it reach the daemon twice, on whatever way there is between, it is one run. */
function onlyOnce(): Readonly<Record<string, string>> {
  return { 'idempotency-key': crypto.randomUUID() };
}
