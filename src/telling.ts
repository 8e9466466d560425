/** A part of the composition root: what tells people, put together. */
import { hostname } from 'node:os';
import type { LoadedFile } from './config/load.ts';
import type { Clock, EngineEvent, Observer, Store } from './engine/ports.ts';
import type { Duration, RunRecord } from './model.ts';
import { Deliverer } from './notify/deliverer.ts';
import { USUAL_DIGEST } from './notify/digest.ts';
import { Heartbeat } from './notify/heartbeat.ts';
import type { Words } from './notify/letter.ts';
import { createSend, type CommandRequest } from './notify/sender.ts';
import { Teller } from './notify/teller.ts';
import { skipInWords } from './observe/event-lines.ts';
import { elapsed, outcomeInWords, printable } from './observe/text.ts';
import { localDateTime } from './observe/when.ts';

export interface TellingOptions {
  readonly clock: Clock;
  readonly store: Store;
  readonly newId: () => string;
  /** The end of what the last attempt of a run printed, at most so many bytes. What takes long is done without. */
  readonly lastOutput: (run: RunRecord, bytes: number) => Promise<Buffer>;
  readonly runCommand: (command: CommandRequest) => Promise<string | undefined>;
  /** Where the daemon can be looked at. */
  readonly publicUrl: string | undefined;
  /** A check that hears every minute that the daemon is well. */
  readonly heartbeatUrl: string | undefined;
  readonly emit: (event: EngineEvent) => void;
}

/** As the log has them. */
export const words: Words = {
  printable,
  elapsed,
  outcome: outcomeInWords,
  skip: skipInWords,
  time: localDateTime,
};

/** A message goes out without the end of its run's output, if that does not come within. */
const PATIENCE: Duration = 2000;

/** The output; a line in its place that says why there is none. Never rejects. */
function inTime(output: Promise<Buffer>, clock: Clock): Promise<Buffer> {
  return new Promise((resolve) => {
    const without = (why: string): void => resolve(Buffer.from(`… ${why}\n`));
    const callOff = clock.after(PATIENCE, () =>
      without(`its output did not come within ${PATIENCE / 1000} s`),
    );
    output
      .then(resolve, (error: unknown) =>
        without(`its output cannot be read: ${error instanceof Error ? error.message : String(error)}`),
      )
      .finally(callOff);
  });
}

/** `start` before the engine, `load` with each new set, `close` before the store. */
export class Telling implements Observer {
  readonly #teller: Teller;
  readonly #deliverer: Deliverer;
  readonly #options: Pick<TellingOptions, 'clock' | 'heartbeatUrl' | 'emit'>;
  #heartbeat: Heartbeat | undefined;
  #notifiers: LoadedFile['notifiers'] = {};

  constructor(options: TellingOptions) {
    const { clock, store, newId, emit } = options;
    this.#options = options;
    const storeFailed = (error: unknown): void =>
      emit({ kind: 'store_failed', message: error instanceof Error ? error.message : String(error) });
    this.#deliverer = new Deliverer({
      clock,
      emit,
      send: createSend({
        words,
        host: hostname(),
        publicUrl: options.publicUrl,
        notifiers: () => this.#notifiers,
        pingOf: ({ jobId }) => this.#teller.pingOf(jobId),
        lastOutput: (run, bytes) => inTime(options.lastOutput(run, bytes), clock),
        runCommand: options.runCommand,
      }),
      digestOf: (name) =>
        (Object.hasOwn(this.#notifiers, name) ? this.#notifiers[name]?.digest : undefined) ?? USUAL_DIGEST,
      settle: (ids) => store.settle(ids).catch(storeFailed),
    });
    this.#teller = new Teller({
      clock,
      store,
      newId,
      storeFailed,
      deliver: (messages) => this.#deliverer.take(messages),
    });
  }

  start({ jobs, notifiers }: LoadedFile): Promise<void> {
    this.#notifiers = notifiers;
    return this.#teller.start(jobs);
  }

  load({ jobs, notifiers }: LoadedFile): void {
    this.#notifiers = notifiers;
    this.#teller.load(jobs);
  }

  observe(event: EngineEvent): void {
    this.#teller.observe(event);
  }

  /** Lets the heartbeat begin. `quietFor`: how long ago the scheduling loop did its work. */
  beat(quietFor: () => Duration): void {
    const { clock, heartbeatUrl: url, emit } = this.#options;
    if (url === undefined) return;
    const onFailure = (message: string, again: Duration): void =>
      emit({ kind: 'delivery_failed', to: 'the check of the heartbeat', message, again });
    this.#heartbeat = new Heartbeat({ clock, url, quietFor, onFailure });
  }

  async close(): Promise<void> {
    this.#heartbeat?.close();
    this.#teller.close();
    await this.#deliverer.close();
  }
}
