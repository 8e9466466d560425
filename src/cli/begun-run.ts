/** A run that was asked for: told, and waited for if somebody wants to. */
import { systemClock } from '../engine/clock.ts';
import type { Duration } from '../model.ts';
import { heldInWords, limitInWords } from '../observe/limits.ts';
import { elapsed, outcomeInWords, printable, printableJson } from '../observe/text.ts';
import { Refused, type Client } from './client.ts';
import { exit, Failure, isFailure } from './exit.ts';
import { outcomeExit } from './outcome-exit.ts';
import { safeShower, type Shower } from './output-text.ts';
import { formatDuration } from '../schedule/duration.ts';
import { lengthOf } from '../schedule/run-length.ts';
import type { Session, Style } from './session.ts';
import { runOf, type ToldRun } from './told.ts';

export interface BegunOptions {
  readonly wait?: boolean;
  /** How long a daemon that goes away under the wait may take to come back. */
  readonly reconnect?: Duration;
  readonly json?: boolean;
}

interface Output {
  readonly attempt: number;
  /** Bytes of the attempt's output up to the end of this piece. */
  readonly offset: number;
  readonly text: string;
}

/** Enough for a restart by systemd, with its pause, of a daemon with many jobs. */
export const RECONNECT: Duration = 60_000;
/** Between two looks at whether it is back. */
const LOOK: Duration = 200;

/** Gives the exit code: with `wait` that of the task, as run-once does. */
export async function tellBegun(
  run: ToldRun,
  options: BegunOptions,
  { client, session }: { readonly client: Client; readonly session: Session },
): Promise<number> {
  if (options.wait === true) return new Waiting(client, session, options).until(run);
  // Of shards each is followed by itself.
  const hint = `tsched logs ${run.id}${run.shards === null ? ' -f' : ''}`;
  const begun = waitInWords(run) ?? 'has begun';
  const text = `run ${run.id} of ${printable(run.jobId)} ${printable(begun)}   ${session.painter('out')('dim', hint)}`;
  session.out(`${options.json === true ? printableJson(run) : text}\n`);
  return exit.ok;
}

/** Shows what the run prints as it comes, as `logs` does, and what becomes of it. As JSON: the run, when it is over. */
class Waiting {
  readonly #client: Client;
  readonly #session: Session;
  readonly #isSilent: boolean;
  readonly #reconnect: Duration;
  #attempt = 0;
  /** Up to where the output was shown, as the stream has it. */
  #place: string | undefined;
  #shower: Shower | undefined;

  constructor(client: Client, session: Session, { json = false, reconnect = RECONNECT }: BegunOptions) {
    this.#client = client;
    this.#session = session;
    this.#isSilent = json;
    this.#reconnect = reconnect;
  }

  /** The run outlives its daemon: when that is restarted, the next one has taken the run over. */
  async until(run: ToldRun): Promise<number> {
    const waits = waitInWords(run);
    this.#say('cyan', `▶ ${run.jobId}, run ${run.id}${waits === undefined ? '' : ` ${waits}`}`);
    let goneAt: Duration | undefined;
    for (;;) {
      const over = await this.#followed(run, () => {
        if (goneAt !== undefined) this.#session.err('tsched: it is back, and so is the run\n');
        goneAt = undefined;
      });
      if (over !== undefined) return this.#tellEnd(over);
      if (goneAt === undefined) this.#tellGone();
      goneAt ??= systemClock.monotonic();
      if (systemClock.monotonic() - goneAt >= this.#reconnect) {
        throw this.#client.gone(`what becomes of the run: tsched logs ${run.id} -f`);
      }
      await new Promise<void>((resolve) => void systemClock.after(LOOK, resolve));
    }
  }

  #tellGone(): void {
    if (this.#reconnect === 0) return;
    const wait = formatDuration(this.#reconnect);
    this.#session.err(
      `tsched: the daemon has gone away; waiting up to ${wait} for it to come back (--reconnect)\n`,
    );
  }

  /** The run when it is over; undefined when the daemon has gone before. */
  async #followed({ id, jobId }: ToldRun, onOpen: () => void): Promise<ToldRun | undefined> {
    try {
      return (await this.#follow(id, jobId, onOpen))
        ? await this.#client.get<ToldRun>(`/runs/${id}`)
        : undefined;
    } catch (error) {
      if (isFailure(error) && error.code === exit.unavailable) return undefined;
      if (!(error instanceof Refused) || error.reason !== 'unknown_run') throw error;
      const hint = 'it was killed before it had recorded it, or keeps its history in memory';
      throw new Failure(exit.unavailable, `the tsched that is here now knows nothing of run ${id}`, hint);
    }
  }

  /** False: the daemon has gone before the run was over. */
  async #follow(id: string, jobId: string, onOpen: () => void): Promise<boolean> {
    let isOver = false;
    const events = await this.#client.events(`/runs/${id}/output/stream`, { after: this.#place });
    onOpen();
    for await (const { name, data } of events) {
      isOver = name === 'end';
      if (isOver) break;
      if (name === 'output') this.#show(jobId, data as Output);
    }
    if (isOver) this.#shower?.end();
    return isOver;
  }

  #show(jobId: string, { attempt, offset, text }: Output): void {
    this.#place = `${attempt}:${offset}`;
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

/** Of a run that is in line; undefined of any other. */
function waitInWords({ state, waited }: ToldRun): string | undefined {
  if (state !== 'waiting' || waited === null) return undefined;
  return `waits for ${limitInWords(waited.limit)}${heldInWords(waited.heldBy)}`;
}
