/** One attempt of a module task with `isolation: thread`. */
import type { Outcome } from '../model.ts';
import type { AttemptHandle, AttemptReport, Clock, StopReason } from '../engine/ports.ts';
import type { ThreadEvent, ThreadPool, ThreadRequest } from './thread-pool.ts';

export interface ThreadAttempt {
  readonly request: ThreadRequest;
  /** From being asked to end to being ended. */
  readonly killAfter: number;
  readonly pool: ThreadPool;
  readonly clock: Clock;
}

/** Starts the attempt. `stop` aborts the task's signal, and ends the thread after `killAfter`; `kill` ends it at once. */
export function startThreadAttempt(
  { request, killAfter, pool, clock }: ThreadAttempt,
  report: (report: AttemptReport) => void,
): AttemptHandle {
  let reason: StopReason | undefined;
  let callOff: (() => void) | undefined;
  const thread = pool.run(request, (event) => {
    if (event.kind === 'started') return report({ kind: 'started' });
    callOff?.();
    report({ kind: 'ended', outcome: outcomeOf(event, reason) });
  });
  return {
    stop(why) {
      if (reason !== undefined) return;
      reason = why;
      thread.abort();
      callOff = clock.after(killAfter, () => thread.end());
    },
    kill(why) {
      reason ??= why;
      thread.end();
    },
  };
}

/** Once told to stop it ended for that reason, whatever it made of its last moments. */
function outcomeOf(
  event: Exclude<ThreadEvent, { kind: 'started' }>,
  reason: StopReason | undefined,
): Outcome {
  if (event.kind === 'not_started') return event;
  if (reason !== undefined) return reason;
  switch (event.kind) {
    case 'ended':
      return event.outcome;
    case 'signalled':
      return {
        kind: 'killed',
        signal: event.signal,
        hint: 'the signal ended the process of all threads; a task that crashes Node should have `isolation: process`',
      };
    case 'lost':
      return event;
    case 'ended_by_order':
      return { kind: 'lost', message: 'The thread was ended, but nobody had asked for it.' };
  }
}
