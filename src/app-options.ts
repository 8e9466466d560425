import type { Duration } from './model.ts';
import type { LogOptions } from './observe/log.ts';
import type { Wording } from './operator/wording.ts';
import type { ServeSettings } from './serving.ts';

export interface AppOptions {
  readonly file: string;
  /** Made, with what is missing above it, if it does not exist. */
  readonly stateDirectory: string;
  /** History is kept in memory, and forgotten at the end. */
  readonly ephemeral: boolean;
  readonly version: string;
  /** Infinity: no bound. */
  readonly maxConcurrentRuns: number;
  /** Of those that have a process of their own; absent: no bound of their own. */
  readonly maxProcessRuns?: number;
  /** Of modules in threads; absent: no bound of their own. */
  readonly maxThreadRuns?: number;
  /** How long jobs that are waited for may go on after a request to stop. */
  readonly drain: Duration;
  /** Whether changes of the job file take effect by themselves. */
  readonly watch: boolean;
  /** Where people can look at the daemon; messages link there. */
  readonly publicUrl?: string;
  /** A check that hears every minute that the daemon is well. */
  readonly heartbeatUrl?: string;
  readonly log: Pick<LogOptions, 'level' | 'format' | 'color' | 'file'>;
  /** Where the daemon can be asked. Absent: nowhere. */
  readonly serve?: OperatingSettings;
  /** As the user set it; `process.env` may differ. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly hostTimezone: string;
}

export interface OperatingSettings extends ServeSettings {
  /** How schedules and times are told. */
  readonly wording: Wording;
}
