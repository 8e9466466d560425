/** What happens inside a worker thread of the thread host: one task, once, with all it writes going to its own file. */
import { openSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { parentPort } from 'node:worker_threads';
import type { ContextEffects } from './context.ts';
import { adoptEnvironment, loadTypeStripping, runTask } from './module-call.ts';
import type { ThreadMessage, ThreadOrder } from './thread-protocol.ts';

/** Waits for the order of the host, then runs the task. */
export function serveThread(): void {
  loadTypeStripping();
  parentPort?.once('message', run);
}

/** The task may replace it. */
const exit = process.exit.bind(process);

function run(order: ThreadOrder): void {
  // A port with a listener keeps its thread alive, but whether the thread lives is up to the task.
  parentPort?.unref();
  adoptEnvironment(order.env);
  let write;
  try {
    write = redirectOutput(order.outputPath);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    // Nobody listens any more, least of all to this.
    tell({
      tsched: 'ended',
      outcome: { kind: 'not_started', message: 'Another daemon has taken this over.' },
    });
    return exit(0);
  }
  runTask(order, { signal, write }, (outcome) => {
    tell({ tsched: 'ended', outcome });
    exit(0);
  });
}

function signal(): AbortSignal {
  const controller = new AbortController();
  parentPort?.once('message', () => {
    controller.abort(new DOMException('The run is to end', 'AbortError'));
  });
  parentPort?.unref();
  tell({ tsched: 'listens' });
  return controller.signal;
}

function tell(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}

/**
 * Node sends a thread's output through messages to the main thread: it is lost when the thread is ended, and held in
 * memory while the task does not yield. So both streams write to the file at once, as those of a process do.
 * Who makes the file has the say whether the task begins: a daemon that comes after ours may have made it.
 */
function redirectOutput(path: string | undefined): ContextEffects['write'] {
  const file = path === undefined ? undefined : openSync(path, 'ax', 0o600);
  const descriptors = { stdout: file ?? 1, stderr: file ?? 2 };
  const write: ContextEffects['write'] = (name, text) => writeWhole(descriptors[name], Buffer.from(text));
  for (const name of ['stdout', 'stderr'] as const) {
    const stream = new Writable({
      write(chunk: Uint8Array, _encoding, done) {
        writeWhole(descriptors[name], chunk);
        done();
      },
    });
    Object.defineProperty(process, name, { value: stream, configurable: true, enumerable: true });
  }
  return write;
}

function writeWhole(descriptor: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      // A full disk or a reader that left costs the output, not the task, and there is nowhere to say so.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      // A pipe that somebody made non-blocking is full.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
