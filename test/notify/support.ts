/** A message, and a sender whose receivers are real. */
import { expect, onTestFinished } from 'vitest';
import type { Message, NoticeMessage } from '../../src/message.ts';
import type { Notifier, RunRecord } from '../../src/model.ts';
import type { Digest } from '../../src/notify/digest.ts';
import { createSend, type Delivery, type SenderOptions } from '../../src/notify/sender.ts';
import { words } from '../../src/telling.ts';
import { httpReceiver, type Received } from '../support/receivers.ts';

export const AT = Date.parse('2026-10-25T01:30:12Z');

export const RUN: RunRecord = {
  id: '01a2146e-1382-717f-bb0a-665fb6820956',
  jobId: 'backup',
  scheduledAt: Date.parse('2026-10-25T01:30:00Z'),
  cause: 'schedule',
  claimedAt: AT - 12_000,
  state: 'finished',
  attempts: [1, 2].map((number) => ({
    number,
    startedAt: AT - 12_000 + number,
    finishedAt: AT,
    duration: 5900,
    outcome: { kind: 'failed', exitCode: 3 },
  })),
  finishedAt: AT,
  outcome: { kind: 'failed', exitCode: 3 },
};

export type Notice = NoticeMessage;

export const FAILURE: Notice = {
  kind: 'notice',
  id: '01a2146e-1b50-7ebc-a135-e63c273723e6',
  to: 'it',
  notice: 'failure',
  jobId: 'backup',
  description: 'A copy of the database',
  at: AT,
  timezone: 'Europe/Berlin',
  run: RUN,
  failures: 3,
  failingSince: AT - 7_200_000,
};

/** What a mean job could print, or a mean file say. */
export const MEAN =
  'plain\n</pre><script>alert(1)</script> <!channel> <@U1> @everyone [x](http://evil) ```\n' +
  '\u001b[2J\u0007\u202e NUL\0 \r\nSubject: forged\r\n\r\n.\r\nQUIT\r\n\u2028\ud800 end';

export interface Given {
  readonly output?: string;
  readonly options?: Partial<SenderOptions>;
}

/** Tells one notifier, called `it`, with an output. */
export function send(
  notifier: Notifier,
  message: Message | Digest = FAILURE,
  { output = 'one\ntwo\n', options = {} }: Given = {},
): Promise<Delivery> {
  return createSend({
    words,
    host: 'web1',
    publicUrl: 'https://tsched.example.com',
    notifiers: () => ({ it: notifier }),
    pingOf: () => undefined,
    lastOutput: async () => Buffer.from(output),
    runCommand: async () => undefined,
    ...options,
  })(message);
}

export type Format = Extract<Notifier, { kind: 'webhook' }>['format'];

export async function posted(
  format: Format,
  message: Notice | Digest = FAILURE,
  given: Given = {},
  path = '/hook',
): Promise<{ request: Received; body: unknown }> {
  const receiver = await httpReceiver(onTestFinished);
  const delivery = await send(
    { kind: 'webhook', url: `${receiver.url}${path}`, format, headers: {} },
    message,
    given,
  );
  expect(delivery).toEqual({ kind: 'delivered' });
  const [request] = receiver.requests;
  if (request === undefined) throw new Error('nothing came');
  return { request, body: JSON.parse(request.body) };
}
