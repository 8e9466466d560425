import { describe, expect, it, onTestFinished } from 'vitest';
import type { Notifier } from '../../src/model.ts';
import { mailReceiver } from '../support/receivers.ts';
import { FAILURE, MEAN, RUN, send, type Notice } from './support.ts';

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
