/** What an operator does, and what is said of it. */
import { signal } from '@preact/signals';
import { ApiProblem, ask, mayRun, segment } from './api.ts';
import type { Job, Run } from './model.ts';
import { href } from './route.ts';
import { put, take } from './state.ts';

export interface Notice {
  readonly text: string;
  readonly hint?: string;
  readonly isBad: boolean;
  readonly link?: { readonly to: string; readonly text: string };
}

/** The last word on what was done. */
export const notice = signal<Notice | undefined>(undefined);
/** What somebody is about to do, in a dialog. */
export const asking = signal<{ readonly what: 'pause' | 'run'; readonly id: string } | undefined>(undefined);

let forget: ReturnType<typeof setTimeout> | undefined;

function say(said: Notice | undefined): void {
  clearTimeout(forget);
  notice.value = said;
  if (said?.isBad === false) forget = setTimeout(() => (notice.value = undefined), 6000);
}

export function reasonOf(error: unknown): string {
  return error instanceof ApiProblem ? `${error.message} ${error.hint}` : 'the daemon cannot be reached';
}

/** Does it, or says why not. */
export async function attempt(what: string, action: () => Promise<Omit<Notice, 'isBad'>>): Promise<void> {
  // Nobody takes the link of what was done before for that of what is being done.
  say(undefined);
  try {
    say({ ...(await action()), isBad: false });
  } catch (error) {
    say({ text: `${what} did not work: ${reasonOf(error)}`, isBad: true });
  }
}

export function runNow(jobId: string): Promise<void> {
  return attempt('Run now', async () =>
    begun(await ask<Run>(`jobs/${segment(jobId)}/runs`, { method: 'POST' })),
  );
}

/** @throws ApiProblem, for whoever wrote the arguments */
export async function runWith(jobId: string, given: object): Promise<void> {
  say(undefined);
  const run = await ask<Run>(`jobs/${segment(jobId)}/runs`, { method: 'POST', body: { with: given } });
  say({ ...begun(run), isBad: false });
}

export function retry(run: Run): Promise<void> {
  return attempt('Retry', async () => begun(await ask<Run>(`runs/${run.id}/retry`, { method: 'POST' })));
}

function begun(run: Run): Omit<Notice, 'isBad'> {
  take([run]);
  return { text: `${run.jobId} was begun.`, link: { to: href('runs', run.id), text: 'Watch it' } };
}

export function cancel(run: Run): Promise<void> {
  return attempt('Cancel', async () => {
    take([await ask<Run>(`runs/${run.id}/cancel`, { method: 'POST' })]);
    return { text: `${run.jobId} was asked to end.` };
  });
}

export function pause(jobId: string, { reason, time }: { reason: string; time: string }): Promise<void> {
  const body = { ...(reason === '' ? {} : { reason }), ...(time === '' ? {} : { for: time }) };
  return attempt('Pause', async () => {
    put(await ask<Job>(`jobs/${segment(jobId)}/pause`, { method: 'POST', body }));
    return { text: `${jobId} is paused.` };
  });
}

export function resume(jobId: string): Promise<void> {
  return attempt('Resume', async () => {
    put(await ask<Job>(`jobs/${segment(jobId)}/resume`, { method: 'POST' }));
    return { text: `${jobId} is scheduled again.` };
  });
}

export { mayRun };
