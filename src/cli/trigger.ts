import type { Arguments, Json } from '../model.ts';
import { printable } from '../observe/text.ts';
import { tellBegun, type BegunOptions } from './begun-run.ts';
import { Client, type ClientOptions } from './client.ts';
import { exit, Failure } from './exit.ts';
import type { Session } from './session.ts';
import type { ToldRun } from './told.ts';

export interface TriggerOptions extends ClientOptions, BegunOptions {
  /** Each `name=value`. */
  readonly with?: readonly string[];
}

/** Asks the daemon to run a job now. Gives the exit code. */
export async function trigger(id: string, options: TriggerOptions, session: Session): Promise<number> {
  const body = options.with === undefined ? undefined : { with: givenOf(options.with) };
  const client = new Client(options, session);
  const run = await client.post<ToldRun>(`/jobs/${encodeURIComponent(id)}/runs`, body, onlyOnce());
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

/** @throws Failure (64) */
function givenOf(pairs: readonly string[]): Arguments {
  return Object.fromEntries(
    pairs.map((pair): [string, Json] => {
      const [, name = '', text = ''] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
      if (name !== '') return [name, valueOf(text)];
      throw new Failure(exit.usage, `--with takes name=value, not "${printable(pair)}"`);
    }),
  );
}

/** JSON where it is some, else the text: `3` is a number, `"3"` a text, and so is `three`. */
function valueOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
