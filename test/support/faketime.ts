/** A faked clock for real processes: libfaketime, loaded into the daemon and all that it starts. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

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

/** All clocks of the daemon run `rate` times as fast, from a moment on. Its jobs' own clocks start there as they do. */
export function racing(from: string, rate: number): Environment {
  return {
    LD_PRELOAD: library(),
    // In seconds, so that no time zone has a say in it.
    FAKETIME_FMT: '%s',
    FAKETIME: `@${Date.parse(from) / 1000} x${rate}`,
  };
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
    writeFileSync(`${this.#file}.new`, `${offset < 0 ? '' : '+'}${offset}`);
    renameSync(`${this.#file}.new`, this.#file);
  }
}
