/** A faked clock for real processes: libfaketime, loaded into the daemon and all that it starts. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon } from './daemon.ts';

type Environment = Readonly<Record<string, string>>;

/**
 * Where support/setup.ts found it, or put it.
 * @throws Error with what to install, when it is not to be had
 */
export function library(): string {
  const found = process.env['TSCHED_TEST_LIBFAKETIME'];
  if (found !== undefined) return found;
  throw new Error(
    'these tests need libfaketime: install the package "faketime" (Debian) or "libfaketime" (Fedora)',
  );
}

/**
 * All clocks of the daemon run many times as fast, from `go` on; until then, at their usual pace, so that however long it takes
 * to start, the story does not begin without it. Its jobs' own clocks begin at `from`, each when it starts.
 */
export class RacingClock {
  readonly env: Environment;
  readonly #file: string;
  readonly #from: number;
  readonly #rate: number;

  constructor(directory: string, from: string, rate: number) {
    this.#file = join(directory, 'clock');
    this.#from = Date.parse(from) / 1000;
    this.#rate = rate;
    put(this.#file, `@${this.#from} x1`);
    this.env = {
      LD_PRELOAD: library(),
      // In seconds, so that no time zone has a say in it.
      FAKETIME_FMT: '%s',
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      // A new pace holds from now on, instead of from the beginning.
      FAKETIME_XRESET: '1',
    };
  }

  async go(daemon: Daemon): Promise<void> {
    await daemon.ready();
    put(this.#file, `@${this.#from} x${this.#rate}`);
    // It may have gone to sleep at the old pace.
    daemon.signal('SIGUSR2');
  }
}

/**
 * A wall clock that can be set while the daemon runs; the monotonic clock and timers stay real. Setting it forward is
 * also what a resume after a suspend looks like: the wall clock moved on, the monotonic one did not. Jobs see the same time.
 */
export class SteppedClock {
  readonly env: Environment;
  readonly #file: string;

  constructor(directory: string, at: string) {
    this.#file = join(directory, 'clock');
    this.set(at);
    this.env = {
      LD_PRELOAD: library(),
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  set(to: string): void {
    // An offset, not a time: every process has the same one, whenever it started.
    const offset = Math.round((Date.parse(to) - Date.now()) / 1000);
    put(this.#file, `${offset < 0 ? '' : '+'}${offset}`);
  }
}

/** In one piece: it is read all the time. */
function put(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}
