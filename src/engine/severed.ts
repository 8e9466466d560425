/** The ports of an engine that is abandoned: nothing comes of what is asked, and what would follow from it never does. */
import type { AttemptHandle, Executor, Store } from './ports.ts';

function never<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}

const HANDLE: AttemptHandle = { stop: () => undefined, kill: () => undefined };

/** Starts nothing and finds nothing. */
export const NO_EXECUTOR: Executor = { start: () => HANDLE, recover: never, close: never };

/** Takes nothing and gives nothing. As a durable one, it leaves to another engine what is not over. */
export const NO_STORE: Store = {
  durable: true,
  claim: never,
  save: never,
  unfinished: never,
  places: never,
  place: never,
  pauses: never,
  pause: never,
  added: never,
  setAdded: never,
  request: () => undefined,
  keepRequest: () => undefined,
  joins: never,
  join: never,
  messages: never,
  told: never,
  post: never,
  settle: never,
  recorded: never,
  replays: never,
  setReplay: never,
  history: never,
  latest: never,
  previousSuccess: () => undefined,
  close: never,
};
