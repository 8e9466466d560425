/** A message in words, as every way of telling has it. Nothing in them can end a line, a header or a code block of ours. */
import type { Lateness, NoticeMessage } from '../message.ts';
import type { Digest } from './digest.ts';
import type { Duration, Expectation, Instant, Outcome, RunRecord, SkipRecord } from '../model.ts';
import { lengthOf } from '../schedule/run-length.ts';

/** How things are told to people; the log has the words, so that a message reads as it does. */
export interface Words {
  /** The text on one line and harmless. */
  readonly printable: (text: string) => string;
  readonly elapsed: (duration: Duration) => string;
  readonly outcome: (outcome: Outcome) => string;
  readonly skip: (skip: SkipRecord) => string;
  /** With date and offset. */
  readonly time: (instant: Instant, timezone: string) => string;
}

export interface Letter {
  /** By which a receiver can tell a repetition. */
  readonly id: string;
  readonly at: Instant;
  readonly event: NoticeMessage['notice'] | 'digest';
  /** Letters about the same are one thread. */
  readonly thread: string;
  /** What it is made of: one, or those of a digest. */
  readonly messages: readonly NoticeMessage[];
  readonly host: string;
  readonly subject: string;
  /** What is to be known, a line each: "Job       backup". */
  readonly facts: readonly string[];
  /** What `output` is. */
  readonly heading: string;
  /** The last lines that the run printed; of a digest, a line for each message. */
  readonly output: readonly string[];
  /** The same where there is little room. */
  readonly brief: readonly string[];
  /** How to see more, a line each. */
  readonly more: readonly string[];
  readonly link: string | undefined;
}

export interface LetterOptions {
  readonly words: Words;
  readonly host: string;
  /** Where the daemon can be looked at, without a slash at the end. */
  readonly publicUrl: string | undefined;
}

const MOST_LINES = 30;
const LONGEST_LINE = 500;
/** Characters of names in a line. */
const LONGEST_LIST = 80;

/** Writes a message down. `printed` is the end of what the run printed. */
export function letterOf(message: NoticeMessage, printed: Buffer, options: LetterOptions): Letter {
  const { words, publicUrl } = options;
  const { run } = message;
  const output = lastLines(printed, words);
  const more = run === undefined ? [] : [`tsched logs ${run.id}`];
  if (message.notice !== 'test' && run === undefined) more.push(`tsched why ${message.jobId}`);
  return {
    id: message.id,
    at: message.at,
    event: message.notice,
    thread: message.jobId,
    messages: [message],
    heading: 'The last lines of its output:',
    host: words.printable(options.host),
    subject: subjectOf(message, options),
    facts: factsOf(message, options).map(([name, text]) => `${name.padEnd(10)}${words.printable(text)}`),
    output,
    brief: output,
    more,
    link: publicUrl === undefined || run === undefined ? undefined : `${publicUrl}/runs/${run.id}`,
  };
}

/** Writes a digest down: what happened how often, and a line for each message. */
export function letterOfDigest({ id, to, messages }: Digest, options: LetterOptions): Letter {
  const { words, publicUrl } = options;
  const host = words.printable(options.host);
  const times = messages.map(({ at }) => at);
  const at = Math.max(...times);
  const timezone = messages.at(-1)?.timezone ?? 'UTC';
  const time = (instant: Instant): string => words.printable(`${words.time(instant, timezone)} ${timezone}`);
  const jobs = new Set(messages.map(({ jobId }) => jobId)).size;
  const kinds = (['failure', 'late', 'missed', 'recovery', 'success'] as const).flatMap((notice) => {
    const names = messages.filter((message) => message.notice === notice).map(({ jobId }) => jobId);
    return names.length === 0 ? [] : [{ title: `${names.length} ${DIGEST_WORDS[notice]}`, names }];
  });
  return {
    id,
    at,
    event: 'digest',
    thread: `digest for ${to}`,
    messages,
    host,
    subject: `${messages.length} messages about ${count(jobs, 'job')}: ${kinds.map(({ title }) => title).join(', ')} on ${host}`,
    facts: [
      ['Host', host],
      ['First', time(Math.min(...times))],
      ['Last', time(at)],
    ].map(([name = '', text = '']) => `${name.padEnd(10)}${text}`),
    heading: 'Each of them:',
    output: messages.map((message) => about(message, words)),
    brief: kinds.flatMap(({ title, names }) => [`${title}:`].concat(wrapped(names.map(words.printable)))),
    more: ['tsched list', 'tsched history --last 1h'],
    link: publicUrl === undefined ? undefined : `${publicUrl}/`,
  };
}

/** Some names a line, with commas between. */
function wrapped(names: readonly string[]): string[] {
  const lines: string[] = [];
  for (const name of names) {
    const last = lines.at(-1);
    if (last === undefined || last.length + name.length > LONGEST_LIST) lines.push(`  ${name}`);
    else lines[lines.length - 1] = `${last}, ${name}`;
  }
  return lines;
}

const DIGEST_WORDS = {
  failure: 'failed',
  late: 'late',
  missed: 'missed slots',
  recovery: 'well again',
  success: 'succeeded',
} as const;

/** The whole letter as plain text. */
export function plainText({ subject, facts, heading, output, more, link }: Letter): string {
  const parts = [`${subject}\n`, facts.join('\n')];
  if (output.length > 0) parts.push(`\n${heading}\n\n${output.map((line) => `    ${line}`).join('\n')}`);
  const see = [...more, ...(link === undefined ? [] : [link])];
  if (see.length > 0) parts.push(`\nMore: ${see.join('\n      ')}`);
  return `${parts.join('\n')}\n`;
}

function subjectOf(message: NoticeMessage, { words, host }: LetterOptions): string {
  return about(message, words) + words.printable(` on ${host}`);
}

/** `backup failed with exit code 3` */
function about(message: NoticeMessage, words: Words): string {
  const { jobId, notice, run, skip, late, failures = 0 } = message;
  return words.printable(`${jobId} ${what()}`).slice(0, 200);

  function what(): string {
    switch (notice) {
      case 'test':
        return 'says hello: this notifier works';
      case 'failure': {
        const often = failures > 1 ? `, ${failures} times in a row` : '';
        return `${run?.outcome === undefined ? 'failed' : words.outcome(run.outcome)}${often}`;
      }
      case 'recovery':
        return failures > 0 ? `is well again after ${count(failures, 'failure')}` : 'is well again';
      case 'success':
        return 'succeeded';
      case 'late':
        return late === undefined ? 'is late' : `is late: ${lateInWords(late.what, late.expect, words)}`;
      case 'missed':
        return `missed ${skip?.count === undefined ? 'slots' : count(skip.count, 'slot')}`;
    }
  }
}

function lateInWords(what: Lateness, expect: Expectation, { elapsed }: Words): string {
  switch (what) {
    case 'duration':
      return `it has been running for more than ${elapsed(expect.duration ?? 0)}`;
    case 'finishedBy':
      return `it has not succeeded by ${expect.finishedBy ?? ''}`;
    case 'every':
      return `it has not succeeded for ${elapsed(expect.every ?? 0)}`;
  }
}

function factsOf(message: NoticeMessage, { words, host }: LetterOptions): [string, string][] {
  const { jobId, description, timezone, run, skip, late, failingSince, failures = 0 } = message;
  const time = (instant: Instant): string => `${words.time(instant, timezone)} ${timezone}`;
  const facts: [string, string][] = [
    ['Job', description === undefined ? jobId : `${jobId} (${description})`],
    ['Host', host],
  ];
  if (run !== undefined) facts.push(...runFacts(run, words, time));
  if (skip !== undefined) {
    const through = skip.through === skip.scheduledAt ? '' : ` to ${time(skip.through)}`;
    facts.push(['Slot', `${time(skip.scheduledAt)}${through}`], ['Why', words.skip(skip)]);
  }
  if (late !== undefined)
    facts.push(
      ['Late', lateInWords(late.what, late.expect, words)],
      [late.what === 'finishedBy' ? 'Due' : 'Since', time(late.since)],
    );
  if (failingSince !== undefined && failures > 1)
    facts.push(['Failing', `${count(failures, 'run')} in a row, since ${time(failingSince)}`]);
  facts.push(['Told', time(message.at)]);
  return facts;
}

function runFacts(
  run: RunRecord,
  { outcome, elapsed }: Words,
  time: (instant: Instant) => string,
): [string, string][] {
  const length = run.shards === undefined ? run.attempts.at(-1)?.duration : lengthOf(run);
  const facts: [string, string][] = [['Slot', time(run.scheduledAt)]];
  if (run.outcome !== undefined) facts.push(['Outcome', outcome(run.outcome)]);
  if (length !== undefined) facts.push(['Duration', elapsed(length)]);
  if (run.attempts.length > 1) facts.push(['Attempts', String(run.attempts.length)]);
  facts.push(['Run', run.id]);
  return facts;
}

function lastLines(output: Buffer, { printable }: Words): string[] {
  const lines = output.toString('utf8').replace(/\n$/, '').split('\n').slice(-MOST_LINES);
  if (lines.length === 1 && lines[0] === '') return [];
  return lines.map((line) => {
    const shown = printable(
      line.length > LONGEST_LINE ? line.slice(0, LONGEST_LINE) : line.replace(/\r$/, ''),
    );
    return line.length > LONGEST_LINE ? `${shown}…` : shown;
  });
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
