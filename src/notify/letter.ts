/** A message in words, as every way of telling has it. Nothing in them can end a line, a header or a code block of ours. */
import type { Lateness, Message } from '../message.ts';
import type { Duration, Expectation, Instant, Outcome, RunRecord, SkipReason } from '../model.ts';

/** How things are told to people; the log has the words, so that a message reads as it does. */
export interface Words {
  /** The text on one line and harmless. */
  readonly printable: (text: string) => string;
  readonly elapsed: (duration: Duration) => string;
  readonly outcome: (outcome: Outcome) => string;
  readonly skip: (reason: SkipReason) => string;
  /** With date and offset. */
  readonly time: (instant: Instant, timezone: string) => string;
}

export type NoticeMessage = Extract<Message, { kind: 'notice' }>;

export interface Letter {
  readonly message: NoticeMessage;
  readonly host: string;
  readonly subject: string;
  /** What is to be known, a line each: "Job       backup". */
  readonly facts: readonly string[];
  /** The last lines that the run printed. */
  readonly output: readonly string[];
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

/** Writes a message down. `output` is the end of what the run printed. */
export function letterOf(message: NoticeMessage, output: Buffer, options: LetterOptions): Letter {
  const { words, publicUrl } = options;
  const { run } = message;
  const more = run === undefined ? [] : [`tsched logs ${run.id}`];
  if (message.notice !== 'test' && run === undefined) more.push(`tsched why ${message.jobId}`);
  return {
    message,
    host: words.printable(options.host),
    subject: subjectOf(message, options),
    facts: factsOf(message, options).map(([name, text]) => `${name.padEnd(10)}${words.printable(text)}`),
    output: lastLines(output, words),
    more,
    link: publicUrl === undefined || run === undefined ? undefined : `${publicUrl}/runs/${run.id}`,
  };
}

/** The whole letter as plain text. */
export function plainText({ subject, facts, output, more, link }: Letter): string {
  const parts = [`${subject}\n`, facts.join('\n')];
  if (output.length > 0)
    parts.push(`\nThe last lines of its output:\n\n${output.map((line) => `    ${line}`).join('\n')}`);
  const see = [...more, ...(link === undefined ? [] : [link])];
  if (see.length > 0) parts.push(`\nMore: ${see.join('\n      ')}`);
  return `${parts.join('\n')}\n`;
}

function subjectOf(message: NoticeMessage, { words, host }: LetterOptions): string {
  const { jobId, notice, run, skip, late, failures = 0 } = message;
  return words.printable(`${jobId} ${what()}`).slice(0, 200) + words.printable(` on ${host}`);

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
    facts.push(['Slot', `${time(skip.scheduledAt)}${through}`], ['Why', words.skip(skip.reason)]);
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
  const last = run.attempts.at(-1);
  const facts: [string, string][] = [['Slot', time(run.scheduledAt)]];
  if (run.outcome !== undefined) facts.push(['Outcome', outcome(run.outcome)]);
  if (last?.duration !== undefined) facts.push(['Duration', elapsed(last.duration)]);
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
