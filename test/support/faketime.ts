/** A faked clock for real processes: libfaketime, loaded into the daemon and all that it starts. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon, Later } from './daemon.ts';

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
 * All clocks of the daemon run many times as fast, from its first moment to its last. Its start takes time too: by then the
 * clock is a minute or so past `from`. Its jobs' own clocks begin at `from`, each when it starts.
 *
 * The pace never changes: libfaketime takes over a new one without a lock, and where two threads ask for the time just
 * then, the wall clock ends up years off. Where the story must not begin without the daemon, use a SteppedClock.
 */
export class RacingClock {
  readonly env: Environment;
  readonly #from: number;
  readonly #rate: number;
  readonly #begun = performance.now();

  constructor(directory: string, from: string, rate: number) {
    const file = join(directory, 'clock');
    this.#from = Date.parse(from);
    this.#rate = rate;
    put(file, `@${this.#from / 1000} x${rate}`);
    // The format is in seconds, so that no time zone has a say in it.
    this.env = { LD_PRELOAD: library(), FAKETIME_FMT: '%s', FAKETIME_TIMESTAMP_FILE: file };
  }

  /** Waits until the daemon is up, and makes sure that its clock is this one. */
  async go(daemon: Daemon): Promise<void> {
    await daemon.ready();
    const passed = Date.parse(daemon.lines.at(-1)?.time ?? '') - this.#from;
    const most = (performance.now() - this.#begun) * this.#rate;
    if (!(passed >= 0 && passed <= most)) throw new Error(`${passed} ms of at most ${most} ms have passed`);
  }
}

/**
 * A wall clock that can be set while the daemon runs; the monotonic clock and timers stay real. Setting it forward is
 * also what a resume after a suspend looks like: the wall clock moved on, the monotonic one did not. Jobs see the same time.
 */
export class SteppedClock {
  readonly env: Environment;
  readonly #file: string;
  readonly #bell: number;
  #offset = 0;

  /** The directory is the daemon's, in which its jobs run. */
  constructor(directory: string, at: string, later: Later) {
    this.#file = join(directory, 'clock');
    this.set(at);
    execFileSync('mkfifo', [join(directory, 'bell')]);
    // Open for both, a pipe waits for nobody, and keeps what is written until it is read.
    this.#bell = openSync(join(directory, 'bell'), 'r+');
    later(() => closeSync(this.#bell));
    this.env = {
      LD_PRELOAD: library(),
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** Gives by how many milliseconds it steps. */
  set(to: string): number {
    // An offset, not a time: every process has the same one, whenever it started.
    const offset = Date.parse(to) - Date.now();
    put(this.#file, `${offset < 0 ? '' : '+'}${(offset / 1000).toFixed(3)}`);
    const step = offset - this.#offset;
    this.#offset = offset;
    return step;
  }

  /** A job that the daemon must have for `skipTo`: when told, it fails and is tried again, so that the daemon is awake. */
  get waker(): object {
    const retry = { limit: 1000, delay: '100ms', backoff: 'constant', jitter: false };
    return { startup: 'daemon', run: 'read -r told < bell; exit 1', retry, on_shutdown: 'terminate' };
  }

  /**
   * Leaves out what lies between now and a second before an instant, and waits until the daemon knows; the instant then
   * comes by itself. So hours pass in seconds, whatever the load: nothing races against the clock.
   */
  async skipTo(daemon: Daemon, instant: string): Promise<void> {
    const known = daemon.events('clock_stepped').length;
    this.set(new Date(Date.parse(instant) - 1000).toISOString());
    writeSync(this.#bell, '\n');
    await daemon.until(`the step to ${instant}`, () => daemon.events('clock_stepped')[known]);
  }
}

/** In one piece: it is read all the time. */
function put(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}
