/**
 * The daemon's log: one record for each thing that happens, on standard output or in a file, for eyes, for programs or for
 * the journal. The only file that knows winston and date-fns-tz.
 */
import { fstatSync } from 'node:fs';
import { isatty } from 'node:tty';
import { styleText } from 'node:util';
import { formatInTimeZone } from 'date-fns-tz';
import winston from 'winston';
import Transport from 'winston-transport';
import type { Clock, Observer } from '../engine/ports.ts';
import type { Instant } from '../model.ts';
import { eventLine, type Fields, type Level } from './event-lines.ts';
import { Sink } from './sink.ts';
import { printable, printableJson } from './text.ts';

export type { Fields, Level } from './event-lines.ts';

export type LogFormat = 'human' | 'json' | 'journald';

export interface LogOptions {
  readonly clock: Clock;
  /** Records less severe than this are left out. */
  readonly level: Level;
  /** `auto`: the journal's on the journal, human on a terminal, JSON elsewhere. */
  readonly format: LogFormat | 'auto';
  /** Instead of standard output. */
  readonly file?: string;
  /** The zone human times are told in. */
  readonly timezone: string;
  readonly color: boolean;
  /** For JOURNAL_STREAM, by which the journal says that it reads our output. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

interface Entry {
  readonly time: Instant;
  readonly level: Level;
  readonly message: string;
  readonly fields: Fields;
  /** `text` is ours and may have several lines; events carry words of jobs, output is theirs: one line each. */
  readonly kind: 'text' | 'event' | 'output';
}

/** For text that is no event of the engine; those come through `observer`. */
export interface Log {
  write(level: Level, message: string, fields?: Fields): void;
  /** A line that a run printed, without its newline. */
  output(line: string, fields: Fields): void;
  readonly observer: Observer;
  /** Lines that could be written nowhere. */
  readonly dropped: number;
  /** Opens the log file anew, for rotation. */
  reopen(): void;
  /** All that was written is out, as far as anybody reads it. Nothing may be written after. */
  close(): Promise<void>;
}

/** @throws Error (with `code`) when the log file cannot be opened. */
export function createLog(options: LogOptions): Log {
  const format = options.format === 'auto' ? suitableFormat(options) : options.format;
  const render = renderer(format, options);
  const { sink, aside = sink } = createSink(options, render);
  const logger = winston.createLogger({
    levels: winston.config.syslog.levels,
    level: options.level,
    transports: [new SinkTransport(sink, render)],
  });
  const put = (entry: Omit<Entry, 'time'>): void => {
    // Under one key of our own: winston gives `message` and `level` in metadata a meaning.
    logger.log({
      level: entry.level,
      message: entry.message,
      entry: { ...entry, time: options.clock.now() },
    });
  };
  const time = (instant: Instant): string =>
    format === 'human'
      ? formatInTimeZone(instant, options.timezone, 'yyyy-MM-dd HH:mm:ss')
      : rfc3339(instant);

  return {
    write: (level, message, fields = {}) => put({ level, message, fields, kind: 'text' }),
    output: (line, fields) => put({ level: 'info', message: line, fields, kind: 'output' }),
    observer: {
      observe: (event) => put({ ...eventLine(event, { now: options.clock.now(), time }), kind: 'event' }),
    },
    get dropped() {
      return aside.dropped;
    },
    reopen: () => sink.reopen(),
    close: () =>
      new Promise((resolve) => {
        logger.once('finish', () => {
          sink.close();
          resolve();
        });
        logger.end();
      }),
  };
}

class SinkTransport extends Transport {
  readonly #sink: Sink;
  readonly #render: (entry: Entry) => string;

  constructor(sink: Sink, render: (entry: Entry) => string) {
    super();
    this.#sink = sink;
    this.#render = render;
  }

  override log(info: { entry: Entry }, next: () => void): void {
    this.#sink.write(this.#rendered(info.entry));
    next();
  }

  /** An error thrown in here would silence winston for good. */
  #rendered(entry: Entry): string {
    try {
      return this.#render(entry);
    } catch (error) {
      const message = `a log record could not be written: ${error instanceof Error ? error.message : String(error)}`;
      return this.#render({ time: entry.time, level: 'error', message, fields: {}, kind: 'text' });
    }
  }
}

function createSink(
  options: LogOptions,
  render: (entry: Entry) => string,
): { readonly sink: Sink; readonly aside?: Sink } {
  const ours = (message: string): string =>
    render({ time: options.clock.now(), level: 'warning', message, fields: {}, kind: 'text' });
  const gap = (count: number, reason: string): string =>
    ours(`${count} log ${count === 1 ? 'line was' : 'lines were'} not written here: ${reason}`);
  if (options.file === undefined) return { sink: new Sink({ target: { fd: 1 }, clock: options.clock, gap }) };

  // What the file does not take is said on standard error instead, after one line of why.
  const aside = new Sink({ target: { fd: 2 }, clock: options.clock, gap });
  let lastReason = '';
  const onLost = (line: string, reason: string): void => {
    if (reason !== lastReason)
      aside.write(ours(`log file ${options.file}: ${reason}; its lines come here until it takes them`));
    lastReason = reason;
    aside.write(line);
  };
  return { sink: new Sink({ target: { path: options.file }, clock: options.clock, gap, onLost }), aside };
}

function suitableFormat(options: LogOptions): LogFormat {
  if (options.file !== undefined) return 'json';
  if (isJournal(options.environment.JOURNAL_STREAM)) return 'journald';
  return isatty(1) ? 'human' : 'json';
}

/** The variable alone proves nothing: a child with its output redirected inherits it. systemd.exec(5) says to compare. */
function isJournal(stream: string | undefined): boolean {
  if (stream === undefined) return false;
  const { dev, ino } = fstatSync(1);
  return stream === `${dev}:${ino}`;
}

function renderer(format: LogFormat, options: LogOptions): (entry: Entry) => string {
  switch (format) {
    case 'json':
      return json;
    case 'journald':
      return journald;
    case 'human':
      return (entry) => human(entry, options);
  }
}

/** sd-daemon(3). */
const priorities: Record<Level, number> = { crit: 2, error: 3, warning: 4, notice: 5, info: 6, debug: 7 };

/** The priority stands before every line, or the journal takes the rest for information. */
function journald(entry: Entry): string {
  const priority = `<${priorities[entry.level]}>`;
  return `${priority}${jobPrefix(entry)}${linesOf(entry).join(`\n${priority}    `)}`;
}

function json({ time, level, message, fields, kind }: Entry): string {
  return printableJson({
    time: rfc3339(time),
    level,
    msg: message,
    ...fields,
    ...(kind === 'output' ? { event: 'output' } : {}),
  });
}

const levelWords: Record<Level, string> = {
  crit: 'CRIT ',
  error: 'ERROR',
  warning: 'WARN ',
  notice: 'INFO ',
  info: 'INFO ',
  debug: 'DEBUG',
};

const levelColors = {
  crit: ['bold', 'red'],
  error: ['red'],
  warning: ['yellow'],
  notice: ['green'],
  info: ['green'],
  debug: ['gray'],
} as const;

function human(entry: Entry, { timezone, color }: LogOptions): string {
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    color && text !== '' ? styleText(style, text, { validateStream: false }) : text;
  const time = formatInTimeZone(entry.time, timezone, 'yyyy-MM-dd HH:mm:ss.SSS');
  const level = paint([...levelColors[entry.level]], levelWords[entry.level]);
  return `${paint('gray', time)} ${level} ${paint('cyan', jobPrefix(entry))}${linesOf(entry).join('\n    ')}`;
}

/** The lines of our own texts (code frames); they follow indented, so that none can pass for a record. */
function linesOf({ kind, message }: Entry): readonly string[] {
  return kind === 'text' ? message.split('\n').map(printable) : [printable(message)];
}

function jobPrefix({ fields, kind }: Entry): string {
  return fields.job === undefined ? '' : `${printable(fields.job)}${kind === 'output' ? '│' : ':'} `;
}

function rfc3339(instant: Instant): string {
  return new Date(instant).toISOString();
}
