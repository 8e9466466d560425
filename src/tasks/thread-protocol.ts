/** What the daemon, the thread host and its threads say to one another. Plain data, over the IPC channel and thread ports. */
import type { TaskCall } from './module-call.ts';
import type { ModuleOutcome } from './module-outcome.ts';

/** What a thread is given. */
export interface ThreadOrder extends TaskCall {
  /** Absolute path of the file its stdout and stderr are appended to; absent: those of the host. */
  readonly outputPath?: string;
  /** The whole environment of the run. */
  readonly env: Readonly<Record<string, string>>;
}

/** What a thread says. A task may post to the same port: anything else is ignored. */
export type ThreadMessage =
  /** The task has looked at its AbortSignal. */
  { readonly tsched: 'listens' } | { readonly tsched: 'ended'; readonly outcome: ModuleOutcome };

/** What the daemon says to the host; `key` names an attempt. */
export type HostOrder =
  /** `memory`: bytes of JavaScript heap. */
  | { readonly kind: 'run'; readonly key: number; readonly order: ThreadOrder; readonly memory?: number }
  /** Aborts the task's signal if it listens, else ends it. */
  | { readonly kind: 'abort'; readonly key: number }
  | { readonly kind: 'end'; readonly key: number };

/** What the host says, once for each attempt: no outcome if it was told to end before there was one. */
export interface HostMessage {
  readonly key: number;
  readonly outcome?: ModuleOutcome;
}
