/** A run that was asked for: told, and waited for if somebody wants to. */
import { elapsed, outcomeInWords, printable, printableJson } from '../observe/text.ts';
import type { Client } from './client.ts';
import { exit, isFailure } from './exit.ts';
import { outcomeExit } from './outcome-exit.ts';
import { safeShower, type Shower } from './output-text.ts';
import { lengthOf } from '../schedule/run-length.ts';
import type { Session, Style } from './session.ts';
import { runOf, type ToldRun } from './told.ts';

export interface BegunOptions {
  readonly wait?: boolean;
  readonly json?: boolean;
}

interface Output {
  readonly attempt: number;
  readonly text: string;
}

/** Gives the exit code: with `wait` that of the task, as run-once does. */
export async function tellBegun(
  run: ToldRun,
  options: BegunOptions,
  { client, session }: { readonly client: Client; readonly session: Session },
): Promise<number> {
  if (options.wait === true) return new Waiting(client, session, options.json === true).until(run);
  const hint = `tsched logs ${run.id} -f`;
  const text = `run ${run.id} of ${printable(run.jobId)} has begun   ${session.painter('out')('dim', hint)}`;
  session.out(`${options.json === true ? printableJson(run) : text}\n`);
  return exit.ok;
}

/** Shows what the run prints as it comes, as `logs` does, and what becomes of it. As JSON: the run, when it is over. */
class Waiting {
  readonly #client: Client;
  readonly #session: Session;
  readonly #isSilent: boolean;
  #attempt = 0;
  #shower: Shower | undefined;

  constructor(client: Client, session: Session, isSilent: boolean) {
    this.#client = client;
    this.#session = session;
    this.#isSilent = isSilent;
  }

  async until({ id, jobId }: ToldRun): Promise<number> {
    this.#say('cyan', `▶ ${jobId}, run ${id}`);
    try {
      const isOver = await this.#follow(id, jobId);
      if (isOver) return this.#tellEnd(await this.#client.get<ToldRun>(`/runs/${id}`));
    } catch (error) {
      if (!isFailure(error) || error.code !== exit.unavailable) throw error;
    }
    throw this.#client.gone(`what becomes of the run: tsched logs ${id} -f`);
  }

  /** False: the daemon has gone before the run was over. */
  async #follow(id: string, jobId: string): Promise<boolean> {
    let isOver = false;
    for await (const { name, data } of await this.#client.events(`/runs/${id}/output/stream`)) {
      isOver = name === 'end';
      if (isOver) break;
      if (name === 'output') this.#show(jobId, data as Output);
    }
    this.#shower?.end();
    return isOver;
  }

  #show(jobId: string, { attempt, text }: Output): void {
    if (this.#isSilent) return;
    if (attempt !== this.#attempt) {
      this.#shower?.end();
      this.#shower = safeShower((piece) => this.#session.out(piece));
      if (attempt > 1) this.#say('cyan', `▶ ${jobId}, attempt ${attempt}`);
      this.#attempt = attempt;
    }
    this.#shower?.show(Buffer.from(text));
  }

  #tellEnd(told: ToldRun): number {
    const run = runOf(told);
    const { outcome } = run;
    if (this.#isSilent) this.#session.out(`${printableJson(told)}\n`);
    if (outcome === undefined) throw this.#client.gone();
    const length = lengthOf(run);
    const after = length === undefined || outcome.kind === 'timed_out' ? '' : ` after ${elapsed(length)}`;
    const isWell = outcome.kind === 'succeeded';
    this.#say(
      isWell ? 'green' : 'red',
      `${isWell ? '✔' : '✖'} ${run.jobId} ${outcomeInWords(outcome)}${after}`,
    );
    return outcomeExit(outcome);
  }

  /** On standard error: standard output is the job's. */
  #say(style: Style, text: string): void {
    if (this.#isSilent) return;
    const [mark = '', ...words] = text.split(' ');
    this.#session.err(`${this.#session.painter('err')(style, mark)} ${printable(words.join(' '))}\n`);
  }
}
