/** Tells by mail. The only file that knows nodemailer, which is loaded at the first mail. */
import { createHash } from 'node:crypto';
import type { Notifier } from '../model.ts';
import { plainText, type Letter } from './letter.ts';
import { PATIENCE, Undelivered } from './post.ts';

type Mail = Extract<Notifier, { kind: 'mail' }>;

/**
 * Sends one mail. Gives the addresses that the server refused, if it took any.
 * @throws Undelivered
 */
export async function tellByMail(notifier: Mail, letter: Letter): Promise<string | undefined> {
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({
    url: notifier.smtp,
    connectionTimeout: PATIENCE,
    greetingTimeout: PATIENCE,
    socketTimeout: 2 * PATIENCE,
    disableFileAccess: true,
    disableUrlAccess: true,
    requireTLS: needsTls(notifier.smtp),
  });
  try {
    const { rejected } = await transport.sendMail(envelope(notifier, letter));
    return rejected.length === 0 ? undefined : `the server refused ${rejected.join(', ')}`;
  } catch (error) {
    const { code, responseCode = 0, message } = error as Error & { code?: string; responseCode?: number };
    throw new Undelivered(message, { final: code === 'EMESSAGE' && responseCode >= 500 });
  } finally {
    transport.close();
  }
}

/** A password does not go over a network in the clear. */
function needsTls(smtp: string): boolean {
  const { password, hostname } = new URL(smtp);
  return password !== '' && !/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

function envelope({ to, from }: Mail, letter: Letter) {
  const { id, at, event, thread: about, host, subject } = letter;
  const domain = domainOf(host);
  // All mails about one job are one thread.
  const thread = `<${createHash('sha256').update(about).digest('hex').slice(0, 32)}.job@${domain}>`;
  return {
    from: from === undefined ? { name: 'tsched', address: `tsched@${domain}` } : from,
    to: [...to],
    subject: subject.replaceAll(/\s+/g, ' '),
    text: plainText(letter),
    date: new Date(at),
    messageId: `<${id}@${domain}>`,
    inReplyTo: thread,
    references: [thread],
    headers: {
      'Auto-Submitted': 'auto-generated',
      'X-Tsched-Event': event,
      'X-Tsched-Delivery': id,
    },
  };
}

/** A host's name as mail addresses can have it. */
function domainOf(host: string): string {
  const labels = host
    .split('.')
    .map((label) => label.replaceAll(/[^A-Za-z0-9-]+/g, '-').replaceAll(/^-+|-+$/g, ''));
  return labels.filter((label) => label !== '').join('.') || 'localhost';
}
