/** Brings one message to its receiver, by whatever way that has now. */
import type { Message, NoticeMessage } from '../message.ts';
import type { Notifier, Notifiers, PingPolicy, RunRecord } from '../model.ts';
import type { Digest } from './digest.ts';
import { letterOf, letterOfDigest, plainText, type Letter, type LetterOptions } from './letter.ts';
import { tellByMail } from './mail.ts';
import { PING_OUTPUT, pingCheck, type PingMessage } from './ping.ts';
import { Undelivered } from './post.ts';
import { partsOf, secretsOf, without } from './secrets.ts';
import { jsonBody, tellByWebhook } from './webhook.ts';

/** What is to be run to tell somebody. */
export interface CommandRequest {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
}

export interface SenderOptions extends LetterOptions {
  /** As the job file has them now. */
  readonly notifiers: () => Notifiers;
  readonly pingOf: (message: PingMessage) => PingPolicy | undefined;
  /** The end of what an attempt printed, at most so many bytes; empty when it is gone. */
  readonly lastOutput: (run: RunRecord, bytes: number) => Promise<Buffer>;
  /** Runs a program, not as a child of the daemon. Gives what went wrong. */
  readonly runCommand: (request: CommandRequest) => Promise<string | undefined>;
}

export type Delivery =
  /** `note`: the receiver took it, but not for all. */
  | { readonly kind: 'delivered'; readonly note?: string | undefined }
  /** `final`: trying again would change nothing. */
  | { readonly kind: 'failed'; readonly message: string; readonly final: boolean };

export type Send = (message: Message | Digest) => Promise<Delivery>;

/** Bytes of output that a message is made from. */
const OUTPUT = 10_000;

/** Makes what sends messages. It never rejects, and what it says holds no secret. */
export function createSend(options: SenderOptions): Send {
  return (message) => (message.kind === 'ping' ? ping(message, options) : notify(message, options));
}

async function notify(message: NoticeMessage | Digest, options: SenderOptions): Promise<Delivery> {
  const notifiers = options.notifiers();
  const notifier = Object.hasOwn(notifiers, message.to) ? notifiers[message.to] : undefined;
  if (notifier === undefined) return gone('no notifier of that name is in the job file any more');
  const letter =
    message.kind === 'digest' ? letterOfDigest(message, options) : await letterWithOutput(message, options);
  return attempt(secretsOf(notifier), options, () => tell(notifier, letter, options));
}

async function letterWithOutput(message: NoticeMessage, options: SenderOptions): Promise<Letter> {
  const { run } = message;
  const output = run === undefined ? Buffer.alloc(0) : await options.lastOutput(run, OUTPUT);
  return letterOf(message, output, options);
}

async function ping(message: PingMessage, options: SenderOptions): Promise<Delivery> {
  const policy = options.pingOf(message);
  if (policy === undefined) return gone('the job has no check any more');
  const { run } = message;
  const wanted = policy.output && run.outcome !== undefined;
  const output = wanted ? await options.lastOutput(run, PING_OUTPUT) : undefined;
  return attempt(partsOf(policy.url), options, async () => {
    await pingCheck(policy, run, { output, words: options.words });
    return undefined;
  });
}

function tell(notifier: Notifier, letter: Letter, options: SenderOptions): Promise<string | undefined> {
  switch (notifier.kind) {
    case 'mail':
      return tellByMail(notifier, letter);
    case 'webhook':
      return tellByWebhook(notifier, letter).then(() => undefined);
    case 'command':
      return tellByCommand(notifier, letter, options);
  }
}

async function tellByCommand(
  { argv, cwd }: Extract<Notifier, { kind: 'command' }>,
  letter: Letter,
  { runCommand }: SenderOptions,
): Promise<undefined> {
  const { event, messages, subject } = letter;
  const [message] = event === 'digest' ? [] : messages;
  const env = {
    TSCHED_SUBJECT: subject,
    TSCHED_TEXT: plainText(letter),
    TSCHED_NOTICE: event,
    ...(message === undefined ? {} : { TSCHED_JOB_ID: message.jobId }),
    ...(message?.run === undefined ? {} : { TSCHED_RUN_ID: message.run.id }),
  };
  const problem = await runCommand({ argv, cwd, env, stdin: `${JSON.stringify(jsonBody(letter))}\n` });
  if (problem !== undefined) throw new Undelivered(problem);
  return undefined;
}

async function attempt(
  secrets: readonly string[],
  { words }: SenderOptions,
  send: () => Promise<string | undefined>,
): Promise<Delivery> {
  const clean = (text: string): string => words.printable(without(secrets, text)).slice(0, 500);
  try {
    const note = await send();
    return { kind: 'delivered', note: note === undefined ? undefined : clean(note) };
  } catch (error) {
    const final = error instanceof Undelivered && error.final;
    return { kind: 'failed', message: clean(error instanceof Error ? error.message : String(error)), final };
  }
}

function gone(message: string): Delivery {
  return { kind: 'failed', message, final: true };
}
