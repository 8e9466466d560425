import { createHmac } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Message, Notifier, RunRecord } from '../../src/model.ts';
import {
  createSend,
  type CommandRequest,
  type Delivery,
  type SenderOptions,
} from '../../src/notify/sender.ts';
import { words } from '../../src/telling.ts';
import { httpReceiver, mailReceiver, type Received } from '../support/receivers.ts';

const AT = Date.parse('2026-10-25T01:30:12Z');

const RUN: RunRecord = {
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

type Notice = Extract<Message, { kind: 'notice' }>;

const FAILURE: Notice = {
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
const MEAN =
  'plain\n</pre><script>alert(1)</script> <!channel> <@U1> @everyone [x](http://evil) ```\n' +
  '\u001b[2J\u0007\u202e NUL\0 \r\nSubject: forged\r\n\r\n.\r\nQUIT\r\n\u2028\ud800 end';

interface Given {
  readonly output?: string;
  readonly options?: Partial<SenderOptions>;
}

/** Tells one notifier, called `it`, with an output. */
function send(
  notifier: Notifier,
  message: Message = FAILURE,
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

type Format = Extract<Notifier, { kind: 'webhook' }>['format'];

async function posted(
  format: Format,
  message = FAILURE,
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

describe('a webhook', () => {
  it('in plain JSON says all there is, signed', async () => {
    const receiver = await httpReceiver(onTestFinished);
    const notifier: Notifier = {
      kind: 'webhook',
      url: `${receiver.url}/hook?a=b`,
      format: 'json',
      secret: 'hush',
      headers: { Authorization: 'Bearer t0ken' },
    };
    expect(await send(notifier)).toEqual({ kind: 'delivered' });
    const [request] = receiver.requests;
    expect(request).toMatchObject({
      method: 'POST',
      path: '/hook?a=b',
      headers: {
        'content-type': 'application/json',
        authorization: 'Bearer t0ken',
        'x-tsched-delivery': FAILURE.id,
        'x-tsched-event': 'failure',
        'x-tsched-signature': `sha256=${createHmac('sha256', 'hush')
          .update(request?.body ?? '')
          .digest('hex')}`,
      },
    });
    expect(JSON.parse(request?.body ?? '')).toEqual({
      id: FAILURE.id,
      event: 'failure',
      at: '2026-10-25T01:30:12Z',
      host: 'web1',
      job: { id: 'backup', description: 'A copy of the database' },
      run: {
        id: RUN.id,
        scheduledAt: '2026-10-25T01:30:00Z',
        startedAt: '2026-10-25T01:30:00.001Z',
        finishedAt: '2026-10-25T01:30:12Z',
        cause: 'schedule',
        attempts: 2,
        outcome: { kind: 'failed', exitCode: 3 },
        durationMs: 5900,
      },
      skip: null,
      late: null,
      failures: 3,
      failingSince: '2026-10-24T23:30:12Z',
      subject: 'backup failed with exit code 3, 3 times in a row on web1',
      text: expect.stringContaining('Slot      Sun 2026-10-25 02:30:00 +01:00 Europe/Berlin\n') as string,
      output: ['one', 'two'],
      link: `https://tsched.example.com/runs/${RUN.id}`,
    });
  });

  it('for Slack mentions nobody and marks nothing up', async () => {
    const { body } = await posted('slack', { ...FAILURE, description: '<!here> & *b*' }, { output: MEAN });
    const { text } = body as { text: string };
    expect(text).toContain('*backup failed with exit code 3, 3 times in a row on web1*');
    expect(text).toContain('&lt;!here&gt; &amp; *b*');
    expect(text).toContain(`<https://tsched.example.com/runs/${RUN.id}|More>`);
    expect(text.replace(/<https:[^>]*>$/, '')).not.toMatch(/[<>]/);
    expect(text.split('```')).toHaveLength(5); // two blocks: nothing in them ended one
  });

  it('for Discord mentions nobody and is never too long', async () => {
    const long = `${MEAN}\n${'x'.repeat(400)}\n`.repeat(30);
    const { body } = await posted('discord', FAILURE, { output: long });
    const { content, allowed_mentions } = body as { content: string; allowed_mentions: unknown };
    expect(allowed_mentions).toEqual({ parse: [] });
    expect(content.length).toBeLessThanOrEqual(2000);
    expect(content).toContain('**backup failed with exit code 3, 3 times in a row on web1**');
    expect(content).toContain('xxxx');
    expect(content.split('```')).toHaveLength(5);
    expect(content).toContain(`<https://tsched.example.com/runs/${RUN.id}>`);
  });

  it('for Teams is an Adaptive Card of runs of text, in which nothing has a meaning', async () => {
    const { body } = await posted('teams', FAILURE, { output: MEAN });
    expect(body).toMatchObject({
      type: 'message',
      attachments: [
        {
          contentType: 'application/vnd.microsoft.card.adaptive',
          content: {
            type: 'AdaptiveCard',
            body: [
              {
                type: 'RichTextBlock',
                inlines: [{ text: 'backup failed with exit code 3, 3 times in a row on web1' }],
              },
              { type: 'RichTextBlock' },
              {
                type: 'RichTextBlock',
                inlines: [{ text: expect.stringContaining('[x](http://evil)') as string }],
              },
            ],
            actions: [{ type: 'Action.OpenUrl', url: `https://tsched.example.com/runs/${RUN.id}` }],
          },
        },
      ],
    });
    expect(JSON.stringify(body)).not.toContain('"TextBlock"');
  });

  it('for ntfy goes to the root of the server, with the topic in the body', async () => {
    const { request, body } = await posted(
      'ntfy',
      FAILURE,
      { output: `${'y'.repeat(5000)}\nlast` },
      '/sub/my-topic',
    );
    expect(request.path).toBe('/sub');
    expect(body).toMatchObject({
      topic: 'my-topic',
      title: 'backup failed with exit code 3, 3 times in a row on web1',
      message: expect.stringMatching(/^Job {7}backup[^]*\nlast$/) as string,
      priority: 4,
      click: `https://tsched.example.com/runs/${RUN.id}`,
    });
    expect((body as { message: string }).message.length).toBeLessThan(4000);
  });

  it.each(['json', 'slack', 'discord', 'teams', 'ntfy'] as const)(
    'in the form of %s holds nothing that could steer a terminal',
    async (format) => {
      const mean = {
        ...FAILURE,
        jobId: MEAN,
        description: MEAN,
        run: { ...RUN, outcome: { kind: 'threw', message: MEAN } },
      } as const;
      const { request, body } = await posted(format, mean, { output: MEAN });
      const texts = (value: unknown): string[] =>
        typeof value === 'string'
          ? [value]
          : typeof value === 'object' && value !== null
            ? Object.entries(value).flatMap(([key, below]) =>
                // Our own shape gives programs the values as they are.
                format === 'json' && ['job', 'run'].includes(key) ? [] : texts(below),
              )
            : [];
      for (const text of texts(body))
        expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
      expect(request.headers).not.toHaveProperty('subject');
    },
  );

  it.each([
    [500, false],
    [404, false],
    [429, false],
    [302, false],
    [400, true],
    [422, true],
  ])('that answers %i was not told; final: %s', async (status, final) => {
    const receiver = await httpReceiver(onTestFinished);
    receiver.answer = () => status;
    const url = `${receiver.url}/T0P-S3CRET`;
    const delivery = await send({ kind: 'webhook', url, format: 'slack', headers: {} });
    expect(delivery).toMatchObject({ kind: 'failed', final });
    expect(JSON.stringify(delivery)).toContain(`it answered ${status}`);
    expect(receiver.requests).toHaveLength(1); // no redirection was followed
  });

  it('that is not there, or has left the file, is said without its address', async () => {
    const receiver = await httpReceiver(onTestFinished);
    await receiver.close();
    const delivery = await send({
      kind: 'webhook',
      url: `${receiver.url}/T0P-S3CRET`,
      format: 'json',
      headers: {},
    });
    expect(delivery).toEqual({
      kind: 'failed',
      final: false,
      message: `connect ECONNREFUSED 127.0.0.1:${receiver.port}`,
    });
    expect(
      await send({ kind: 'command', argv: [], cwd: '/' }, { ...FAILURE, to: '__proto__' }),
    ).toMatchObject({
      kind: 'failed',
      final: true,
    });
  });
});

describe('mail', () => {
  it('says what there is to know, in a thread of its job', async () => {
    const receiver = await mailReceiver(onTestFinished);
    const notifier: Notifier = {
      kind: 'mail',
      to: ['a@example.com', 'b@example.com'],
      smtp: `smtp://us%40er:p%3Ass@127.0.0.1:${receiver.port}`,
    };
    expect(await send(notifier)).toEqual({ kind: 'delivered' });
    expect(await send(notifier, { ...FAILURE, id: 'other', notice: 'recovery' })).toEqual({
      kind: 'delivered',
    });
    const [mail, other] = receiver.mails;
    expect(receiver.logins[0]).toBe('us@er p:ss');
    expect(mail).toMatchObject({ from: 'tsched@web1', to: ['a@example.com', 'b@example.com'] });
    expect(Object.fromEntries(mail?.headers ?? [])).toMatchObject({
      from: 'tsched <tsched@web1>',
      to: 'a@example.com, b@example.com',
      subject: 'backup failed with exit code 3, 3 times in a row on web1',
      'message-id': `<${FAILURE.id}@web1>`,
      'auto-submitted': 'auto-generated',
      'x-tsched-event': 'failure',
      date: 'Sun, 25 Oct 2026 01:30:12 +0000',
    });
    expect(mail?.headers.get('references')).toBe(other?.headers.get('references'));
    expect(other?.headers.get('subject')).toBe('backup is well again after 3 failures on web1');
    expect(mail?.text.trim().split('\n')).toEqual([
      'backup failed with exit code 3, 3 times in a row on web1',
      '',
      'Job       backup (A copy of the database)',
      'Host      web1',
      'Slot      Sun 2026-10-25 02:30:00 +01:00 Europe/Berlin',
      'Outcome   failed with exit code 3',
      'Duration  5.9s',
      'Attempts  2',
      `Run       ${RUN.id}`,
      'Failing   3 runs in a row, since Sun 2026-10-25 01:30:12 +02:00 Europe/Berlin',
      'Told      Sun 2026-10-25 02:30:12 +01:00 Europe/Berlin',
      '',
      'The last lines of its output:',
      '',
      '    one',
      '    two',
      '',
      `More: tsched logs ${RUN.id}`,
      `      https://tsched.example.com/runs/${RUN.id}`,
    ]);
  });

  it('cannot be given another header, another receiver or another mail by what a job is called or prints', async () => {
    const receiver = await mailReceiver(onTestFinished);
    const mean = 'x\r\nBcc: evil@example.com\r\n\r\n.\r\nMAIL FROM:<evil@example.com>';
    const message: Notice = { ...FAILURE, id: mean, jobId: mean, description: mean };
    const notifier: Notifier = {
      kind: 'mail',
      to: ['a@example.com'],
      smtp: `smtp://127.0.0.1:${receiver.port}`,
    };
    const options = { host: mean };
    expect(await send(notifier, message, { output: MEAN, options })).toEqual({ kind: 'delivered' });
    expect(receiver.mails).toHaveLength(1);
    const [mail] = receiver.mails;
    expect(mail?.to).toEqual(['a@example.com']);
    for (const name of ['bcc', 'mail from', 'subject: forged'])
      expect(mail?.headers.has(name), name).toBe(false);
    expect([...(mail?.headers.keys() ?? [])].sort()).toEqual([
      'auto-submitted',
      'content-transfer-encoding',
      'content-type',
      'date',
      'from',
      'in-reply-to',
      'message-id',
      'mime-version',
      'references',
      'subject',
      'to',
      'x-tsched-delivery',
      'x-tsched-event',
    ]);
    expect(mail?.text).toContain('QUIT');
    expect(mail?.text).toContain('\\x1b[2J');
  });

  it('keeps what the log would say free of user and password, in whatever form the server repeats them', async () => {
    const receiver = await mailReceiver(onTestFinished, { refuseLogin: true });
    const smtp = `smtp://some-user:pa%40ss-word@127.0.0.1:${receiver.port}`;
    const delivery = await send({ kind: 'mail', to: ['a@b.c'], smtp });
    expect(receiver.logins[0]).toBe('some-user pa@ss-word');
    expect(delivery).toMatchObject({ kind: 'failed', final: false });
    expect(JSON.stringify(delivery)).toContain('no such login: *** ***');
    expect(JSON.stringify(delivery)).not.toMatch(/pa@ss|pa%40ss|some-user/);
  });

  it('that the server refuses for what it says is not tried again', async () => {
    const receiver = await mailReceiver(onTestFinished, { refuseData: 'looks like spam' });
    const delivery = await send({ kind: 'mail', to: ['a@b.c'], smtp: `smtp://127.0.0.1:${receiver.port}` });
    expect(delivery).toMatchObject({ kind: 'failed', final: true });
    expect(JSON.stringify(delivery)).toContain('looks like spam');
  });

  it('does not give a password to a server elsewhere without TLS', async () => {
    const receiver = await mailReceiver(onTestFinished);
    // 0.0.0.0 reaches this host too, but is not known to be it.
    const smtp = `smtp://user:password@0.0.0.0:${receiver.port}`;
    const delivery = await send({ kind: 'mail', to: ['a@b.c'], smtp });
    expect(delivery).toMatchObject({ kind: 'failed', final: false });
    expect(receiver.logins).toEqual([]);
    expect(receiver.mails).toEqual([]);
  });
});

describe('a command', () => {
  it('gets the message as JSON and in its environment', async () => {
    const asked: CommandRequest[] = [];
    const options: Given['options'] = { runCommand: async (request) => void asked.push(request) };
    const notifier: Notifier = { kind: 'command', argv: ['./tell'], cwd: '/srv' };
    expect(await send(notifier, FAILURE, { output: MEAN, options })).toEqual({ kind: 'delivered' });
    const [request] = asked;
    expect(request).toMatchObject({
      argv: ['./tell'],
      cwd: '/srv',
      env: { TSCHED_NOTICE: 'failure', TSCHED_JOB_ID: 'backup', TSCHED_RUN_ID: RUN.id },
    });
    expect(request?.env['TSCHED_SUBJECT']).toBe('backup failed with exit code 3, 3 times in a row on web1');
    expect(Object.values(request?.env ?? {}).join('')).not.toContain('\0');
    expect(JSON.parse(request?.stdin ?? '')).toMatchObject({ event: 'failure', job: { id: 'backup' } });
  });

  it('that fails was not told', async () => {
    const options: Given['options'] = { runCommand: async () => 'it ended with exit code 3' };
    expect(await send({ kind: 'command', argv: ['x'], cwd: '/' }, FAILURE, { options })).toEqual({
      kind: 'failed',
      final: false,
      message: 'it ended with exit code 3',
    });
  });
});

describe('what other messages say', () => {
  it.each<[Partial<Notice>, string, string]>([
    [{ notice: 'recovery', failures: 20 }, 'backup is well again after 20 failures on web1', 'Outcome'],
    [{ notice: 'recovery', failures: 0 }, 'backup is well again on web1', 'Outcome'],
    [{ notice: 'success', failures: 0 }, 'backup succeeded on web1', 'Outcome'],
    [
      { notice: 'late', late: { what: 'duration', expect: { duration: 1_800_000 }, since: AT } },
      'backup is late: it has been running for more than 30m00s on web1',
      'Since     Sun 2026-10-25 02:30:12 +01:00 Europe/Berlin',
    ],
    [
      { notice: 'late', late: { what: 'finishedBy', expect: { finishedBy: '06:00' }, since: AT } },
      'backup is late: it has not succeeded by 06:00 on web1',
      'Due       Sun 2026-10-25 02:30:12 +01:00 Europe/Berlin',
    ],
    [
      { notice: 'late', late: { what: 'every', expect: { every: 90_000_000 }, since: AT } },
      'backup is late: it has not succeeded for 1d1h on web1',
      'Since     Sun',
    ],
    [
      {
        notice: 'missed',
        skip: {
          jobId: 'backup',
          scheduledAt: AT,
          through: AT + 3_600_000,
          count: 3,
          reason: 'misfire',
          at: AT,
        },
      },
      'backup missed 3 slots on web1',
      'Why       its time had passed',
    ],
  ])('%j', async (change, subject, fact) => {
    const { run: _, failures: _2, failingSince: _3, ...rest } = FAILURE;
    const base: Notice =
      change.notice === 'late' || change.notice === 'missed' ? rest : { ...rest, run: RUN };
    const { body } = await posted('json', { ...base, ...change });
    expect(body).toMatchObject({ subject });
    expect((body as { text: string }).text).toContain(fact);
    if (base.run === undefined) expect((body as { text: string }).text).toContain('More: tsched why backup');
  });
});

describe('a ping', () => {
  it.each<[RunRecord['outcome'], string]>([
    [undefined, '/start'],
    [{ kind: 'succeeded', exitCode: 0 }, ''],
    [{ kind: 'failed', exitCode: 7 }, '/7'],
    [{ kind: 'timed_out', after: 5000 }, '/fail'],
    [{ kind: 'killed', signal: 'SIGKILL' }, '/fail'],
    [{ kind: 'cancelled', by: 'operator' }, '/log'],
  ])('of %j goes to %s', async (outcome, sign) => {
    const receiver = await httpReceiver(onTestFinished);
    const { outcome: _, ...run } = RUN;
    const message: Message = {
      kind: 'ping',
      id: 'x',
      jobId: 'backup',
      at: AT,
      run: outcome === undefined ? run : { ...run, outcome },
    };
    const options: Given['options'] = {
      pingOf: () => ({ url: `${receiver.url}/ping/uuid/?create=1`, start: true, output: true }),
      lastOutput: async (_run, bytes) => Buffer.alloc(bytes, 'o'),
    };
    expect(await send({ kind: 'command', argv: [], cwd: '/' }, message, { options })).toEqual({
      kind: 'delivered',
    });
    const [request] = receiver.requests;
    expect(request?.path).toBe(`/ping/uuid${sign}?create=1&rid=${RUN.id}`);
    if (outcome === undefined) expect(request?.body).toBe('');
    else expect(request?.body).toBe(`${words.outcome(outcome)}\n${'o'.repeat(10_000)}`);
  });

  it('sends no output where it is not to, and never shows its address', async () => {
    const receiver = await httpReceiver(onTestFinished);
    const options: Given['options'] = {
      pingOf: () => ({ url: `${receiver.url}/ping/s3cret-uuid`, start: true, output: false }),
    };
    const message: Message = { kind: 'ping', id: 'x', jobId: 'backup', at: AT, run: RUN };
    await send({ kind: 'command', argv: [], cwd: '/' }, message, { options });
    expect(receiver.requests[0]?.body).toBe('');
    receiver.answer = () => 410;
    const delivery = await send({ kind: 'command', argv: [], cwd: '/' }, message, { options });
    expect(JSON.stringify(delivery)).not.toContain('s3cret');
  });
});
