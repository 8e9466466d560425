/** Tells by a POST request, with the body that its receiver understands. */
import { createHmac } from 'node:crypto';
import type { NoticeMessage } from '../message.ts';
import type { Notifier } from '../model.ts';
import { plainText, type Letter } from './letter.ts';
import { post } from './post.ts';
import { begunAt, lengthOf } from '../schedule/run-length.ts';

type Webhook = Extract<Notifier, { kind: 'webhook' }>;

/** @throws Undelivered */
export async function tellByWebhook(notifier: Webhook, letter: Letter): Promise<void> {
  const { url, body } = requestOf(notifier, letter);
  const text = JSON.stringify(body);
  const { secret } = notifier;
  await post(url, text, {
    'content-type': 'application/json',
    ...notifier.headers,
    'x-tsched-delivery': letter.id,
    'x-tsched-event': letter.event,
    ...(secret === undefined ? {} : { 'x-tsched-signature': `sha256=${signature(secret, text)}` }),
  });
}

function signature(secret: string, body: string): string {
  return createHmac('sha256', secret).update(body).digest('hex');
}

function requestOf({ url, format }: Webhook, letter: Letter): { url: string; body: unknown } {
  switch (format) {
    case 'json':
      return { url, body: jsonBody(letter) };
    case 'slack':
      return { url, body: slackBody(letter) };
    case 'discord':
      return { url, body: discordBody(letter) };
    case 'teams':
      return { url, body: teamsBody(letter) };
    case 'ntfy':
      return ntfyRequest(url, letter);
  }
}

/** Our own words, for programs: instants are RFC 3339 in UTC. Fields are added, never renamed. */
export function jsonBody(letter: Letter): object {
  const { id, at, event, messages, host, subject, output, link } = letter;
  const [message] = messages;
  const told = event === 'digest' || message === undefined ? NOTHING : partsOf(message);
  return {
    id,
    event,
    at: iso(at),
    host,
    ...told,
    ...(event === 'digest' ? { messages: messages.map(memberBody) } : {}),
    subject,
    text: plainText(letter),
    output,
    link: link ?? null,
  };
}

const NOTHING = { job: null, run: null, skip: null, late: null, failures: 0, failingSince: null };

/** A message within a digest. */
function memberBody(message: NoticeMessage): object {
  const { id, notice, at } = message;
  return { id, event: notice, at: iso(at), ...partsOf(message) };
}

function partsOf({ jobId, description, run, skip, late, failures, failingSince }: NoticeMessage): object {
  const duration = run && (run.shards === undefined ? run.attempts.at(-1)?.duration : lengthOf(run));
  return {
    job: { id: jobId, description: description ?? null },
    run:
      run === undefined
        ? null
        : {
            id: run.id,
            scheduledAt: iso(run.scheduledAt),
            startedAt: iso(begunAt(run)),
            finishedAt: iso(run.finishedAt),
            cause: run.cause,
            attempts: run.attempts.length,
            outcome: run.outcome ?? null,
            durationMs: duration === undefined ? null : Math.round(duration),
          },
    skip:
      skip === undefined
        ? null
        : {
            scheduledAt: iso(skip.scheduledAt),
            through: iso(skip.through),
            count: skip.count ?? null,
            reason: skip.reason,
          },
    late: late === undefined ? null : { what: WORDS[late.what], since: iso(late.since) },
    failures: failures ?? 0,
    failingSince: iso(failingSince),
  };
}

/** As the job file has them. */
const WORDS = { duration: 'duration', finishedBy: 'finished_by', every: 'every' } as const;

function iso(instant: number | undefined): string | null {
  return instant === undefined ? null : new Date(instant).toISOString().replace('.000Z', 'Z');
}

/** https://docs.slack.dev/messaging/formatting-message-text: these three are all that has a meaning, and mentions need "<". */
function slackBody(letter: Letter): object {
  const escape = (text: string): string =>
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return {
    text: marked(letter, {
      escape,
      escapeCode: escape,
      bold: '*',
      link: (url) => `<${url}|More>`,
      room: 35_000,
    }),
  };
}

/** https://discord.com/developers/docs/resources/message: 2000 characters; nobody is mentioned by what a job prints. */
function discordBody(letter: Letter): object {
  const escape = (text: string): string => text.replace(/[\\*_~`|>#[\]<@-]/g, '\\$&');
  const content = marked(letter, {
    escape,
    escapeCode: (code) => code,
    bold: '**',
    link: (url) => `<${url}>`,
    room: 1900,
  });
  return { content, allowed_mentions: { parse: [] } };
}

interface Markup {
  readonly escape: (text: string) => string;
  /** Within a block of code. */
  readonly escapeCode: (text: string) => string;
  readonly bold: string;
  readonly link: (url: string) => string;
  /** Characters there may be. */
  readonly room: number;
}

/** Subject in bold, facts and output as code, in which nothing has a meaning but what ends it. */
function marked(
  { subject, facts, brief, more, link }: Letter,
  { escape, escapeCode, bold, link: linked, room }: Markup,
): string {
  const head = `${bold}${escape(subject)}${bold}`;
  const foot = link === undefined ? '' : `\n${linked(link)}`;
  const inner = (lines: readonly string[]): string => lines.join('\n').replaceAll('`', '\u02cb');
  const code = (lines: readonly string[]): string => `\n\`\`\`\n${escapeCode(inner(lines))}\n\`\`\``;
  const body = code([...facts, ...more.map((line) => `More      ${line}`)]);
  const left = room - head.length - foot.length - body.length - 20;
  const kept = tail(brief, left);
  return `${head}${body}${kept.length === 0 ? '' : code(kept)}${foot}`.slice(0, room);
}

/** The last lines that have room; three dots stand for those before. */
function tail(lines: readonly string[], room: number): string[] {
  const kept: string[] = [];
  let used = 0;
  for (const line of lines.toReversed()) {
    used += line.length * 2 + 1;
    if (used > room) break;
    kept.unshift(line);
  }
  return kept.length < lines.length && kept.length > 0 ? ['…', ...kept] : kept;
}

/** An Adaptive Card, as webhooks of Teams' Workflows take it. Runs of text have no markup: nothing in them has a meaning. */
function teamsBody({ subject, facts, brief, more, link }: Letter): object {
  const block = (lines: readonly string[]): object => ({
    type: 'RichTextBlock',
    inlines: [{ type: 'TextRun', text: lines.join('\n'), fontType: 'Monospace' }],
  });
  const title = {
    type: 'RichTextBlock',
    inlines: [{ type: 'TextRun', text: subject, weight: 'Bolder', size: 'Medium' }],
  };
  const body: object[] = [title, block([...facts, ...more.map((line) => `More      ${line}`)])];
  if (brief.length > 0) body.push(block(tail(brief, 20_000)));
  const content = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    body,
    ...(link === undefined ? {} : { actions: [{ type: 'Action.OpenUrl', title: 'More', url: link }] }),
  };
  const attachment = { contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content };
  return { type: 'message', attachments: [attachment] };
}

const URGENCY = { failure: 4, late: 4, missed: 3, recovery: 3, success: 2, test: 3 } as const;
const EMOJI = {
  failure: 'x',
  late: 'hourglass',
  missed: 'warning',
  recovery: 'white_check_mark',
  success: 'white_check_mark',
  test: 'wave',
  digest: 'bell',
} as const;

/** https://docs.ntfy.sh/publish/#publish-as-json: to the server's root, with the topic in the body. */
function ntfyRequest(address: string, letter: Letter): { url: string; body: object } {
  const { event, messages, subject, facts, brief, link } = letter;
  const url = new URL(address);
  const parts = url.pathname.split('/').filter((part) => part !== '');
  const topic = decodeURIComponent(parts.pop() ?? '');
  url.pathname = `/${parts.join('/')}`;
  const text = [...facts, ...(brief.length > 0 ? ['', ...tail(brief, 3000)] : [])].join('\n');
  const body = {
    topic,
    title: subject,
    message: text.slice(0, 3900),
    priority: Math.max(...messages.map(({ notice }) => URGENCY[notice])),
    tags: [EMOJI[event]],
    ...(link === undefined ? {} : { click: link }),
  };
  return { url: url.href, body };
}
