import type { Duration } from './model.ts';
import type { LogOptions } from './observe/log.ts';
import type { ReloadResult } from './operator/reload-result.ts';
import type { Wording } from './operator/wording.ts';
import type { ServeSettings } from './serving.ts';

/** What the command line and signals ask of a daemon, on its own or a node of a cluster. */
export interface DaemonApp {
  /** Resolves to the exit code when the daemon has stopped. */
  readonly done: Promise<number>;
  /** Begins to keep the file's promises. Once. */
  start(): Promise<void>;
  /** Reads the job file again and puts it in place of the loaded set if it is good. */
  reload(cause: string): Promise<ReloadResult>;
  /** Opens the log file anew, after a rotation. */
  reopenLog(): void;
  /** Stops; `done` follows. `drain`: it waits for jobs as long as they take; with `now` for none. */
  stop(wish: { readonly now: boolean; readonly drain?: boolean }): Promise<void>;
}

/** What makes a daemon a node of a cluster. */
export interface ClusterSettings {
  /** Of the database. Holds its password: never shown. */
  readonly url: string;
  /** Unique in the cluster. */
  readonly nodeName: string;
  /** Sorted, each once. */
  readonly labels: readonly string[];
  /** Attempts it runs at once at most. */
  readonly slots: number;
  /** Whether it may conduct; else it only works. */
  readonly schedules: boolean;
}

export interface AppOptions {
  /** Of a node of a cluster it need not be there. */
  readonly file: string;
  /** Absent: the daemon is alone. */
  readonly store?: ClusterSettings;
  /** Made, with what is missing above it, if it does not exist. */
  readonly stateDirectory: string;
  /** History is kept in memory, and forgotten at the end. */
  readonly ephemeral: boolean;
  readonly version: string;
  /** In a cluster: of all nodes together. Infinity: no bound. */
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
