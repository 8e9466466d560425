import { Worker } from 'node:worker_threads';
import type { Clock } from '../engine/ports.ts';
import type { Duration } from '../model.ts';

const FIND = `
  const { parentPort, workerData: { pattern, text } } = require('node:worker_threads');
  parentPort.postMessage(new RegExp(pattern, 'u').test(text));
`;

/**
 * Whether a regular expression is found in a text; undefined when that takes too long. In a thread of its own: the loop that
 * starts jobs is held up by none. Never rejects.
 */
export function isFound(
  pattern: string,
  text: string,
  { clock, patience }: { readonly clock: Clock; readonly patience: Duration },
): Promise<boolean | undefined> {
  const { promise, resolve } = Promise.withResolvers<boolean | undefined>();
  const worker = new Worker(FIND, { eval: true, env: {}, execArgv: [], workerData: { pattern, text } });
  let callOff = (): void => undefined;
  // Only now: what a busy machine takes to start a thread is not the pattern's fault.
  worker.once('online', () => (callOff = clock.after(patience, () => resolve(undefined))));
  worker.once('message', (found: boolean) => resolve(found));
  worker.once('error', () => resolve(undefined));
  return promise.finally(() => {
    callOff();
    void worker.terminate();
  });
}
