import { systemClock } from '../engine/clock.ts';
import type { AttemptRecord, Duration, RunRecord } from '../model.ts';
import { elapsed, outcomeInWords, printable } from '../observe/text.ts';
import { exit } from './exit.ts';
import { showerOf, tellAttempt, type LogView } from './log-view.ts';
import { readFrom, tailOf, type OpenOutput } from './output-file.ts';
import type { Shower } from './output-text.ts';
import { shardRun } from '../schedule/joint.ts';
import { partsOfId } from '../shard.ts';
import { hasBegun } from '../schedule/run-length.ts';

/** Between two looks, should nobody tell that the file has grown, and at whether the run is over. */
const LOOK: Duration = 500;
/** A file that grows all the time is looked at this often. */
const SHORTEST: Duration = 50;

/** Shows a run's output as it comes, attempt after attempt, until the run is over. */
export class Follower {
  readonly #view: LogView;
  readonly #id: string;
  readonly #shard: number | undefined;
  #unwatch: (() => void) | undefined;
  #wake: (() => void) | undefined;
  #attempt = 0;
  #shower: Shower | undefined;
  #position = 0;
  #isRead = true;
  #isAlone = false;
  #retryTold = 0;

  constructor({ id, shard }: RunRecord, view: LogView) {
    this.#id = id;
    this.#shard = shard?.index;
    this.#view = view;
  }

  /** Gives the exit code. */
  async follow(): Promise<number> {
    const { past } = this.#view;
    try {
      while (this.#isRead) {
        const whole = await past.run(partsOfId(this.#id).run);
        if (whole === undefined || whole === 'ambiguous') break; // pruned meanwhile
        const run = this.#shard === undefined ? whole : (shardRun(whole, this.#shard) ?? whole);
        await this.#catchUp(run);
        if (run.state === 'finished') {
          this.#tellEnd(run);
          break;
        }
        this.#tellWait(run);
        await this.#growth();
      }
      this.#shower?.end();
      return exit.ok;
    } finally {
      this.#unwatch?.();
    }
  }

  /** Shows what has come of every attempt that the history knows by now. */
  async #catchUp(run: RunRecord): Promise<void> {
    const { attempt: wanted, tail } = this.#view.options;
    const begun = run.attempts.filter((each) => hasBegun(each) && each.number >= this.#attempt);
    // The last lines, and what follows them, are those of the newest.
    const shown = tail !== undefined && this.#attempt === 0 ? begun.slice(-1) : begun;
    for (const attempt of shown) {
      if (wanted !== undefined && attempt.number !== wanted) continue;
      if (attempt.number !== this.#attempt) await this.#begin(run, attempt);
      await this.#show();
      if (!this.#isRead) return;
    }
  }

  async #begin(run: RunRecord, attempt: AttemptRecord): Promise<void> {
    const { tail: lines } = this.#view.options;
    this.#shower?.end();
    if (run.attempts.length > 1) tellAttempt(run, attempt, this.#view);
    const isFirst = this.#attempt === 0;
    this.#attempt = attempt.number;
    const tail =
      isFirst && lines !== undefined ? await this.#open((output) => tailOf(output, lines)) : undefined;
    this.#position = tail?.position ?? 0;
    this.#shower = showerOf(run.id, attempt.number, this.#view);
  }

  async #show(): Promise<void> {
    const { session } = this.#view;
    const shower = this.#shower;
    const show = (piece: Buffer): boolean => (this.#isRead = shower?.show(piece) ?? false);
    const read = await this.#open((output) => readFrom(output, this.#position, show));
    if (read === undefined) return;
    this.#position = read.position;
    if (read.cut) session.err('tsched: the output has grown too large and was cut; following its new end\n');
  }

  /** Does something with the output of the attempt at hand; undefined where there is none yet. */
  async #open<T>(work: (output: OpenOutput) => Promise<T>): Promise<T | undefined> {
    const output = await this.#view.past.outputs.open(this.#id, this.#attempt);
    try {
      return output && (await work(output));
    } finally {
      output?.close();
    }
  }

  #tellEnd({ jobId, outcome }: RunRecord): void {
    if (this.#attempt > 0 || outcome === undefined) return;
    const text = `this run of ${jobId} printed nothing: ${outcomeInWords(outcome)}`;
    this.#view.session.err(`tsched: ${printable(text)}\n`);
  }

  /** What a person who waits should know. */
  #tellWait({ state, retryAt, attempts }: RunRecord): void {
    const { session, options, past } = this.#view;
    if (options.json === true) return;
    if (state === 'retrying' && retryAt !== undefined && this.#retryTold < attempts.length) {
      this.#retryTold = attempts.length;
      this.#shower?.end();
      const delay = elapsed(Math.max(0, retryAt - systemClock.now()));
      session.err(`tsched: attempt ${attempts.length + 1} in ${delay}\n`);
    }
    if (this.#isAlone || past.outputs.isAlive()) return;
    this.#isAlone = true;
    session.err('tsched: no daemon is running: how this ends is known when one starts\n');
  }

  #growth(): Promise<void> {
    this.#unwatch ??= this.#view.past.outputs.watch(this.#id, () => this.#wake?.());
    return new Promise((resolve) => {
      const callOff = systemClock.after(LOOK, resolve);
      this.#wake = () => {
        this.#wake = undefined;
        callOff();
        systemClock.after(SHORTEST, resolve);
      };
    });
  }
}
