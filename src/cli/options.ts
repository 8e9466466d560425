/** The options commands share, and those of the daemon. The only file that knows commander. */
import { InvalidArgumentError, Option } from 'commander';
import type { Duration } from '../model.ts';
import { parseDuration } from '../schedule/duration.ts';
import { isProblem, type Problem } from '../schedule/problem.ts';
import { suggest } from '../schedule/suggest.ts';
import { canonicalZone, checkZone } from '../schedule/zone.ts';
import { STATUSES, type Status } from '../engine/ports-operator.ts';

export { Argument, Command, CommanderError, Option } from 'commander';

export const fileOption = (): Option => new Option('-f, --file <path>', 'the job file').env('TSCHED_FILE');

/** Where -f is taken by another option. */
export const longFileOption = (): Option => new Option('--file <path>', 'the job file').env('TSCHED_FILE');

export const stateOption = (): Option =>
  new Option(
    '--state-dir <directory>',
    'where history and output are (default: $STATE_DIRECTORY, /var/lib/tsched for root, else ~/.local/state/tsched)',
  ).env('TSCHED_STATE_DIR');

/** Where the running daemon is. */
export function clientOptions(): readonly Option[] {
  return [
    stateOption(),
    new Option('--socket <path>', "the daemon's socket (default: as the state directory tells)").env(
      'TSCHED_SOCKET',
    ),
    new Option(
      '--url <url>',
      'its address instead, e.g. http://127.0.0.1:9470; the token is $TSCHED_TOKEN',
    ).env('TSCHED_URL'),
  ];
}

/** May be given several times. */
export const givenOption = (): Option =>
  new Option('--with <name=value>', 'give the task something along; again for more').argParser(
    (pair: string, before: readonly string[] | undefined) => [...(before ?? []), pair],
  );

export const orderOption = (): Option =>
  new Option('--order <order>', 'which slots come first').choices(['oldest', 'newest']).default('oldest');

export const jsonOption = (): Option => new Option('--json', 'for programs: a stable JSON shape');

export const zoneOption = (what: string): Option =>
  new Option('--tz <zone>', what).env('TSCHED_TZ').argParser(zone);

export const countOption = (count: number): Option =>
  new Option('-n, --count <number>', 'how many').argParser(wholeNumber(1, 100_000)).default(count);

/** A length of time on the command line, e.g. `7d`; what it is for is said by its name and description. */
export const durationOption = (flags: string, what: string): Option =>
  new Option(flags, what).argParser(duration);

export const numberOption = (flags: string, what: string, least: number): Option =>
  new Option(flags, what).argParser(wholeNumber(least, 1_000_000_000));

export const statusOption = (): Option =>
  new Option('--status <list>', `only these, with commas between: ${STATUSES.join(', ')}`).argParser(
    statuses,
  );

/** Words of other tools, and ours for them. */
const FOREIGN: Readonly<Record<string, Status>> = {
  ok: 'succeeded',
  success: 'succeeded',
  error: 'failed',
  failure: 'failed',
  timeout: 'timed_out',
  canceled: 'cancelled',
  running: 'active',
  missed: 'skipped',
};

function statuses(text: string): readonly Status[] {
  return text.split(',').map((word) => {
    const known = STATUSES.find((status) => status === word.trim());
    if (known !== undefined) return known;
    const near = FOREIGN[word.trim().toLowerCase()] ?? suggest(word.trim(), STATUSES);
    const help = near === undefined ? `Write some of ${STATUSES.join(', ')}.` : `Did you mean "${near}"?`;
    throw new InvalidArgumentError(`There is no status "${word.trim()}". ${help}`);
  });
}

/** As `runs_on` takes them, where `any` is every node. */
const LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Ten long jobs must not starve the eleventh; the bound is there to stop a fork storm. */
const MOST_RUNS = 100;

export const maxRunsOption = (): Option =>
  new Option(
    '--max-concurrent-runs <number>',
    'runs at once, of all jobs (in a cluster: on all nodes); 0: no limit',
  )
    .env('TSCHED_MAX_CONCURRENT_RUNS')
    .argParser(wholeNumber(0, 1_000_000))
    .default(MOST_RUNS);

/** What makes a daemon a node of a cluster. The URL is checked where no message repeats it. */
export function clusterOptions(): readonly Option[] {
  return [
    new Option(
      '--store <url>',
      'the PostgreSQL database of a cluster, e.g. postgres://tsched@db.example/tsched (with a password: better as a variable, or --store-file)',
    ).env('TSCHED_STORE'),
    new Option('--store-file <path>', 'a file that holds that URL').env('TSCHED_STORE_FILE'),
    new Option('--node-name <name>', "how this node is called (default: the host's name)").env(
      'TSCHED_NODE_NAME',
    ),
    new Option(
      '--label <name>',
      'what this node is good for, for runs_on of jobs; again, or with commas, for more',
    )
      .env('TSCHED_LABEL')
      .argParser(labels),
    new Option('--slots <number>', 'attempts this node runs at once')
      .env('TSCHED_SLOTS')
      .argParser(wholeNumber(1, 100_000))
      .default(MOST_RUNS),
  ];
}

/** Settings of the process: flags and TSCHED_ variables, never the job file, so that a reload moves none of them. */
export function daemonOptions(): readonly Option[] {
  return [
    stateOption(),
    new Option('--ephemeral', 'keep history in memory, and forget it at the end').env('TSCHED_EPHEMERAL'),
    ...boundOptions(),
    drainOption(),
    new Option('--public-url <url>', 'where people can look at this daemon; messages link there')
      .env('TSCHED_PUBLIC_URL')
      .argParser((text) => webAddress(text).replace(/\/+$/, '')),
    new Option(
      '--heartbeat-url <url>',
      'a check that hears every minute that the daemon is well (a secret: better as a variable)',
    )
      .env('TSCHED_HEARTBEAT_URL')
      .argParser(webAddress),
    new Option('--no-watch', 'do not reload the file when it changes (SIGHUP still does)').env(
      'TSCHED_NO_WATCH',
    ),
    new Option('--poll', 'watch by looking instead of by inotify: for network file systems').env(
      'TSCHED_POLL',
    ),
  ];
}

export const drainOption = (): Option =>
  new Option('--drain <duration>', 'how long a graceful stop waits for active runs')
    .env('TSCHED_DRAIN')
    .argParser(duration)
    .default(30_000, '30s');

/** How much runs at once, of all jobs together. */
function boundOptions(): readonly Option[] {
  return [
    maxRunsOption(),
    new Option(
      '--max-process-runs <number>',
      'those among them that have a process of their own; 0: no limit',
    )
      .env('TSCHED_MAX_PROCESS_RUNS')
      .argParser(wholeNumber(0, 1_000_000))
      .default(0),
    new Option('--max-thread-runs <number>', 'those that are modules in threads; 0: no limit')
      .env('TSCHED_MAX_THREAD_RUNS')
      .argParser(wholeNumber(0, 1_000_000))
      .default(0),
  ];
}

/** Where the running daemon can be asked. */
export function apiOptions(): readonly Option[] {
  return [
    new Option(
      '--socket <path>',
      'the Unix socket of the API (default: tsched.sock in $RUNTIME_DIRECTORY, else in the state directory)',
    ).env('TSCHED_SOCKET'),
    new Option('--no-socket', 'no socket').env('TSCHED_NO_SOCKET'),
    new Option('--socket-mode <mode>', 'who may connect to it: 0600, its owner, or 0660, its group too')
      .env('TSCHED_SOCKET_MODE')
      .choices(['0600', '0660'])
      .default('0600'),
    new Option('--listen <address>', 'the API over TCP too, for those with a token, e.g. 127.0.0.1:9470').env(
      'TSCHED_LISTEN',
    ),
    new Option('--listen-anywhere', 'let --listen be an address that others reach, without TLS').env(
      'TSCHED_LISTEN_ANYWHERE',
    ),
    new Option('--allow-host <name...>', 'other names that requests may come by, e.g. that of a proxy').env(
      'TSCHED_ALLOW_HOST',
    ),
  ];
}

export function logOptions(): readonly Option[] {
  return [
    new Option('--log-level <level>', 'the least severe level that is logged')
      .env('TSCHED_LOG_LEVEL')
      .choices(['debug', 'info', 'notice', 'warning', 'error', 'crit'])
      .default('info'),
    new Option('--log-format <format>', 'auto: human on a terminal, journald under systemd, else JSON lines')
      .env('TSCHED_LOG_FORMAT')
      .choices(['auto', 'human', 'json', 'journald'])
      .default('auto'),
    new Option('--log-file <path>', 'instead of standard output; opened anew on SIGHUP').env(
      'TSCHED_LOG_FILE',
    ),
  ];
}

export const scopeOption = (): Option =>
  new Option('--scope <scope>', 'read: look; run: also run, cancel, pause; admin: also reload, stop')
    .choices(['read', 'run', 'admin'])
    .default('read');

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(`Write a whole number from ${least} to ${most}.`);
  };
}

function labels(text: string, before: readonly string[] | undefined): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  for (const name of names) {
    if (name === 'any') throw new InvalidArgumentError('runs_on: any is every node: name it otherwise.');
    if (name !== '' && !LABEL.test(name))
      throw new InvalidArgumentError('Labels are letters, digits, ".", "_" and "-", with commas in between.');
  }
  return [...(before ?? []), ...names.filter((name) => name !== '')];
}

function webAddress(text: string): string {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return text;
  throw new InvalidArgumentError('Write an address such as https://example.com/path.');
}

function duration(text: string): Duration {
  const parsed = parseDuration(text);
  if (isProblem(parsed)) throw new InvalidArgumentError(inWords(parsed));
  return parsed;
}

function zone(name: string): string {
  const canonical = canonicalZone(name);
  if (canonical !== undefined) return canonical;
  throw new InvalidArgumentError(inWords(checkZone(name) ?? { message: `unknown time zone "${name}"` }));
}

function inWords({ message, hint }: Problem): string {
  return `${message[0]?.toUpperCase() ?? ''}${message.slice(1)}${hint === undefined ? '' : `; ${hint}`}.`;
}
