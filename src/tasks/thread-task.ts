/** What happens inside a worker thread of the thread host: one task, once, with all it writes going to its own file. */
import { openSync, writeFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { parentPort } from 'node:worker_threads';
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
  const write = redirectOutput(order.outputPath);
  runTask(order, { signal, write: (_stream, text) => write(text) }, (outcome) => {
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
 */
function redirectOutput(path: string): (chunk: string | Uint8Array) => void {
  const file = openSync(path, 'a', 0o600);
  const write = (chunk: string | Uint8Array): void => {
    try {
      writeFileSync(file, chunk);
    } catch {
      // A full disk costs the output, not the task. There is nowhere left to say so.
      return;
    }
  };
  for (const name of ['stdout', 'stderr']) {
    const stream = new Writable({
      write(chunk: Uint8Array, _encoding, done) {
        write(chunk);
        done();
      },
    });
    Object.defineProperty(process, name, { value: stream, configurable: true, enumerable: true });
  }
  return write;
}
