/** What systemd is told of the daemon's life: that it is up, what it does next, that its loop turns. See sd_notify(3). */
import type { Clock, EngineEvent, Observer, Supervisor } from '../engine/ports.ts';
import type { Duration, Instant, JobId } from '../model.ts';
import { notifyChannel, type Notice, type NotifyChannel } from './notify-channel.ts';
import { printable } from './text.ts';
import { fromNow, shortTime } from './when.ts';

/** What the daemon is about to do. */
export interface Outlook {
  readonly jobs: number;
  /** Undefined: nothing is due, ever. */
  readonly next: { readonly jobId: JobId; readonly slot: Instant } | undefined;
}

export interface ServiceManagerOptions {
  readonly channel: NotifyChannel;
  readonly clock: Clock;
  /** The zone times are told in. */
  readonly timezone: string;
  /** As the service manager gave it: `WATCHDOG_USEC` and `WATCHDOG_PID`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** CLOCK_MONOTONIC, in microseconds. */
  readonly microseconds: () => bigint;
  /** Words: what it does instead of deciding over jobs. */
  readonly outlook: () => Outlook | string;
}

/** How often the loop is to turn where no watchdog asks for more. */
const EASY: Duration = 30_000;

/** How long a start or a stop that goes on may take until it says so again; several turns of the loop. */
const EXTENSION_USEC = String(120_000_000);

/**
 * The service manager that started this process; undefined when none did, or it does not want to hear.
 * @param onProblem told once, when it cannot be reached
 */
export function serviceManager(
  options: Omit<ServiceManagerOptions, 'channel'>,
  onProblem: (message: string) => void,
): ServiceManager | undefined {
  const channel = notifyChannel(options.environment, onProblem);
  return channel === undefined ? undefined : new ServiceManager({ ...options, channel });
}

type Phase = 'starting' | 'running' | 'reloading' | 'stopping';

/**
 * Tells the service manager. `rung` is called by the scheduling loop after it did its work: only a loop that turns feeds the watchdog,
 * and the status is renewed on the way, without a timer of its own.
 */
export class ServiceManager implements Observer, Supervisor {
  readonly every: Duration;
  readonly #options: ServiceManagerOptions;
  readonly #hasWatchdog: boolean;
  #phase: Phase = 'starting';
  #fedAt = Number.NEGATIVE_INFINITY;
  #toldAt = Number.NEGATIVE_INFINITY;
  #status = '';
  #fileProblem: string | undefined;
  #isDegraded = false;
  #pings = 0;

  constructor(options: ServiceManagerOptions) {
    this.#options = options;
    const watchdog = watchdogOf(options.environment);
    this.#hasWatchdog = watchdog !== undefined;
    // Fed once half of this has passed, and rung at least this often: never more than half of the watchdog's time apart.
    this.every = Math.min(EASY, (watchdog ?? EASY * 3) / 3);
  }

  /** How often the watchdog was fed. */
  get pings(): number {
    return this.#pings;
  }

  rung(): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#fedAt >= this.every / 2) {
      this.#fedAt = now;
      if (this.#hasWatchdog) this.#pings += 1;
      const notice = {
        ...(this.#hasWatchdog ? { WATCHDOG: '1' } : {}),
        ...(this.#phase === 'running' ? {} : { EXTEND_TIMEOUT_USEC: EXTENSION_USEC }),
      };
      if (Object.keys(notice).length > 0) this.#options.channel.send(notice);
    }
    this.#renewStatus(now);
  }

  observe(event: EngineEvent): void {
    const { kind } = event;
    if (kind === 'engine_started') this.#move('running', { READY: '1', STATUS: this.#describe() });
    else if (kind === 'engine_stopping') this.#move('stopping', stopping(event.active));
    else if (kind === 'store_degraded' || kind === 'store_healed')
      this.#isDegraded = kind === 'store_degraded';
    this.#renewStatus(this.#options.clock.monotonic());
  }

  /** The job file is about to be read again; `reloaded` follows. */
  reloading(): void {
    if (this.#phase !== 'running') return;
    this.#move('reloading', {
      RELOADING: '1',
      MONOTONIC_USEC: String(this.#options.microseconds()),
    });
  }

  /** @param problem why the jobs loaded before stay; undefined when the file is good */
  reloaded(problem: string | undefined): void {
    this.#fileProblem = problem;
    if (this.#phase === 'reloading') this.#move('running', { READY: '1', STATUS: this.#describe() });
  }

  /** Resolves when all of it is said. */
  close(): Promise<void> {
    return this.#options.channel.flush();
  }

  #move(phase: Phase, notice: Notice): void {
    if (this.#phase === 'stopping') return;
    this.#phase = phase;
    this.#options.channel.send(notice);
  }

  #renewStatus(now: Duration): void {
    if (this.#phase !== 'running' || now - this.#toldAt < this.#options.channel.spacing) return;
    const before = this.#status;
    const status = this.#describe();
    if (status !== before) this.#options.channel.send({ STATUS: status });
  }

  #describe(): string {
    this.#toldAt = this.#options.clock.monotonic();
    const outlook = this.#options.outlook();
    const parts = [typeof outlook === 'string' ? outlook : this.#jobsInWords(outlook)];
    if (this.#fileProblem !== undefined) parts.push(printable(this.#fileProblem));
    if (this.#isDegraded) parts.push('history cannot be recorded');
    this.#status = parts.join('; ');
    return this.#status;
  }

  #jobsInWords({ jobs, next }: Outlook): string {
    return `${jobs} job${jobs === 1 ? '' : 's'}, ${this.#nextInWords(next)}`;
  }

  #nextInWords(next: Outlook['next']): string {
    if (next === undefined) return 'none of them due';
    const { clock, timezone } = this.#options;
    const now = clock.now();
    return `next: ${printable(next.jobId)} at ${shortTime(next.slot, timezone, now)} (${fromNow(next.slot, now)})`;
  }
}

function stopping(active: number): Notice {
  const status = active === 0 ? 'stopping' : `stopping, runs still active: ${active}`;
  return { STOPPING: '1', EXTEND_TIMEOUT_USEC: EXTENSION_USEC, STATUS: status };
}

/** The time after which the service manager takes this process for stuck; undefined when it does not watch, or watches another. */
function watchdogOf({
  WATCHDOG_USEC,
  WATCHDOG_PID,
}: ServiceManagerOptions['environment']): Duration | undefined {
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== '' && WATCHDOG_PID !== String(process.pid))
    return undefined;
  const microseconds = Number(WATCHDOG_USEC);
  return microseconds > 0 ? microseconds / 1000 : undefined;
}
