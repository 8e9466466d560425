/**
 * The program of the one process that runs tasks with `isolation: thread`, each attempt in a worker thread of its own.
 * The daemon talks to it over the IPC channel; when that closes it ends at once, and every task with it.
 *
 * The main thread never runs a task's code, so it always hears the daemon. A thread is older than the task it is given:
 * one is always ready, because most of the time a small task takes is the start of its thread.
 */
import { Worker, isMainThread } from 'node:worker_threads';
import { threw, type ModuleOutcome } from './module-outcome.ts';
import type { HostMessage, HostOrder, ThreadMessage } from './thread-protocol.ts';
import { serveThread } from './thread-task.ts';

interface Thread {
  readonly worker: Worker;
  listens: boolean;
  told: 'nothing' | 'to end';
  outcome?: ModuleOutcome;
}

if (isMainThread) serveDaemon();
else serveThread();

function serveDaemon(): void {
  const threads = new Map<number, Thread>();
  let spare: Worker | undefined;

  const makeSpare = (): void => {
    const worker = startWorker(undefined);
    worker.once('exit', () => {
      if (spare === worker) spare = undefined;
    });
    spare = worker;
  };

  const run = ({ key, order, memory }: Extract<HostOrder, { kind: 'run' }>): void => {
    const worker = memory === undefined && spare !== undefined ? spare : startWorker(memory);
    if (worker === spare) spare = undefined;
    const thread: Thread = { worker, listens: false, told: 'nothing' };
    threads.set(key, thread);
    worker.on('message', (message: ThreadMessage | null) => {
      if (message?.tsched === 'listens') thread.listens = true;
      if (message?.tsched === 'ended') thread.outcome ??= message.outcome;
    });
    worker.on('error', (error) => (thread.outcome ??= ofWorkerError(error, memory)));
    worker.on('exit', (code) => {
      threads.delete(key);
      tell(key, thread.outcome ?? (thread.told === 'to end' ? undefined : exitCalled(code)));
      if (spare === undefined) makeSpare();
    });
    worker.postMessage(order);
  };

  process.on('message', (order: HostOrder) => {
    if (order.kind === 'run') return run(order);
    const thread = threads.get(order.key);
    if (thread === undefined) return;
    if (order.kind === 'abort' && thread.listens) return thread.worker.postMessage('abort');
    thread.told = 'to end';
    void thread.worker.terminate();
  });
  // Not process.exit: that waits for threads inside system calls.
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
}

function tell(key: number, outcome: ModuleOutcome | undefined): void {
  const message: HostMessage = outcome === undefined ? { key } : { key, outcome };
  // Without a callback, a daemon that has just gone would be an uncaught error here; `disconnect` deals with it.
  process.send?.(message, undefined, undefined, () => undefined);
}

function startWorker(memory: number | undefined): Worker {
  // process.argv[1] is this program, source or bundle. Output before the task's own (there should be none) is let go.
  const worker = new Worker(process.argv[1] ?? '', {
    stdout: true,
    stderr: true,
    ...(memory === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: mebibytes(memory) } }),
  });
  worker.stdout.resume();
  worker.stderr.resume();
  // An 'error' nobody listens to would end this process; that it exits is enough to know.
  worker.on('error', () => undefined);
  return worker;
}

function exitCalled(code: number): ModuleOutcome {
  return { kind: 'threw', message: `process.exit(${code}) called before the task had ended` };
}

function ofWorkerError(error: unknown, memory: number | undefined): ModuleOutcome {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_WORKER_OUT_OF_MEMORY') return threw(error);
  const limit = memory === undefined ? '' : `: limits.memory allows it ${mebibytes(memory)} MiB`;
  return { kind: 'threw', message: `The task ran out of memory${limit}` };
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
