import type {
  AttemptHandle,
  AttemptReport,
  AttemptSpec,
  Clock,
  Recovery,
  StopReason,
} from '../../src/engine/ports.ts';
import { ImaginedExecutor, type Script } from '../../src/simulate/imagined-executor.ts';

export type { Script } from '../../src/simulate/imagined-executor.ts';

export interface Start {
  readonly spec: AttemptSpec;
  readonly at: number;
}

/** An executor that does nothing but what the script says, and remembers what it was asked. */
export class ScriptedExecutor extends ImaginedExecutor {
  readonly starts: Start[] = [];
  readonly stops: { readonly spec: AttemptSpec; readonly reason: StopReason; readonly kill: boolean }[] = [];
  closed = false;
  readonly #time: Clock;

  constructor(clock: Clock, script: (spec: AttemptSpec) => Script = () => ({ lasts: 0 })) {
    super(clock, script);
    this.#time = clock;
  }

  override start(spec: AttemptSpec, report: (report: AttemptReport) => void): AttemptHandle {
    this.starts.push({ spec, at: this.#time.now() });
    const handle = super.start(spec, report);
    return {
      stop: (reason) => {
        this.stops.push({ spec, reason, kill: false });
        handle.stop(reason);
      },
      kill: (reason) => {
        this.stops.push({ spec, reason, kill: true });
        handle.kill(reason);
      },
    };
  }

  /** What `recover` finds; by default that nothing was begun. */
  found: (spec: AttemptSpec) => Recovery = () => ({ kind: 'never_begun' });

  override async recover(spec: AttemptSpec): Promise<Recovery> {
    return this.found(spec);
  }

  override async close(): Promise<void> {
    this.closed = true;
  }
}
