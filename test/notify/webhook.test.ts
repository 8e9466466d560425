import { createHmac } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Notifier } from '../../src/model.ts';
import { httpReceiver } from '../support/receivers.ts';
import { FAILURE, MEAN, posted, RUN, send } from './support.ts';

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
