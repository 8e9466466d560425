import type { Message } from '../message.ts';
import type { PingPolicy, RunRecord } from '../model.ts';
import type { Words } from './letter.ts';
import { post } from './post.ts';

export type PingMessage = Extract<Message, { kind: 'ping' }>;

/** Bytes of output that a check gets at most, as healthchecks.io keeps at most 100 kB. */
export const PING_OUTPUT = 10_000;

/**
 * Tells a check of a start or an end, in the manner of https://healthchecks.io/docs/http_api/.
 * @throws Undelivered
 */
export async function pingCheck(
  { url }: PingPolicy,
  run: RunRecord,
  { output, words }: { readonly output: Buffer | undefined; readonly words: Words },
): Promise<void> {
  const address = new URL(url);
  address.pathname = address.pathname.replace(/\/$/, '') + signOf(run);
  address.searchParams.set('rid', run.id);
  const { outcome } = run;
  const body =
    output === undefined || outcome === undefined
      ? Buffer.alloc(0)
      : Buffer.concat([Buffer.from(`${words.printable(words.outcome(outcome))}\n`), output]);
  await post(address.href, body, { 'content-type': 'text/plain; charset=utf-8' });
}

/** A run that somebody cancelled is neither: the check's own grace decides. */
function signOf({ outcome }: RunRecord): string {
  switch (outcome?.kind) {
    case undefined:
      return '/start';
    case 'succeeded':
      return '';
    case 'cancelled':
      return '/log';
    case 'failed':
      return isExitCode(outcome.exitCode) ? `/${outcome.exitCode}` : '/fail';
    case 'killed':
    case 'timed_out':
    case 'threw':
    case 'not_started':
    case 'lost':
      return '/fail';
  }
}

function isExitCode(code: number | undefined): boolean {
  return code !== undefined && code > 0 && code < 256;
}
