import { createHash } from 'node:crypto';
import type { Answer, BegunRun } from '../engine/ports-operator.ts';
import type { Clock, Store } from '../engine/ports.ts';
import type { RunId, RunRecord } from '../model.ts';
import { done, refuse } from './answers.ts';

interface Parts {
  readonly clock: Clock;
  readonly store: Pick<Store, 'request' | 'keepRequest'>;
  readonly run: (id: RunId) => Promise<Answer<RunRecord>>;
}

interface Wish {
  /** What is asked for: another wish under the same key is refused. */
  readonly what: string;
  readonly key: string | undefined;
  readonly begin: () => Answer<RunRecord>;
}

/** Begins a run unless it was begun before by the same key, be it under an earlier daemon. */
export async function once({ clock, store, run }: Parts, wish: Wish): Promise<Answer<BegunRun>> {
  const { key } = wish;
  const at = clock.now();
  // It may be as long as what a run is given along.
  const what = createHash('sha256').update(wish.what).digest('base64url');
  const known = key === undefined ? undefined : store.request(key, at);
  if (known !== undefined && known.what !== what) {
    const message = 'this idempotency key was used for another request';
    return refuse({ refused: 'key_reused', message, hint: 'draw a new one for each request' });
  }
  const begun = known === undefined ? wish.begin() : await run(known.runId);
  if (!begun.ok) return begun;
  if (key !== undefined && known === undefined) store.keepRequest({ key, what, runId: begun.value.id, at });
  return done({ run: begun.value, replayed: known !== undefined });
}
