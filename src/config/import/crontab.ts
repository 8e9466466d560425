/** Crontabs: of a user, of the system (with a user in each line), and supercronic's, which only look the same. */
import { checkZone } from '../../schedule/zone-name.ts';
import { translateCron, type Translated } from './foreign-cron.ts';
import { Collection, type Fields, type Imported } from './imported.ts';
import { nameOf } from './job-name.ts';
import { leftBehind } from './left-behind.ts';

export interface CrontabOptions {
  readonly kind: 'crontab' | 'supercronic';
  /** Each line names a user, as in /etc/crontab and /etc/cron.d. */
  readonly system: boolean;
  /** Home directory of a user of this machine. */
  readonly homeOf: (user: string) => string | undefined;
}

const GENERAL = [
  'a run that still goes on when the next is due: cron starts another beside it, tsched skips the new one (`overlap`)',
  'times missed while the machine was off or asleep: cron forgets them, tsched runs the newest if it is no older than an hour (`misfire`)',
  "environment: cron's jobs have HOME, SHELL and PATH=/usr/bin:/bin, tsched's also have what the daemon has (`inherit_env`)",
  'a time that a clock change skips or repeats is run once by both, but not always at the same moment (see `tsched next`)',
];

const GENERAL_SUPERCRONIC = [
  'times missed while the daemon was down: supercronic forgets them, tsched runs the newest if it is no older than an hour (`misfire`)',
];

/** Variables of the file that are in force at a line. */
type Variables = Map<string, string>;

interface Line {
  readonly number: number;
  readonly text: string;
}

export function importCrontab(text: string, options: CrontabOptions): Imported {
  return new Crontab(options).read(text);
}

class Crontab {
  readonly #options: CrontabOptions;
  readonly #jobs = new Collection();
  readonly #variables: Variables = new Map();
  /** Lines whose command begins with the name of a user, though none is asked for. */
  readonly #namesUser: Line[] = [];
  #comments: string[] = [];
  /** Comments that a blank line parts from what follows. */
  #apart: string[] = [];

  constructor(options: CrontabOptions) {
    this.#options = options;
  }

  read(text: string): Imported {
    const { kind, system } = this.#options;
    const lines = text.split(/\r?\n/).map((line, index) => ({ number: index + 1, text: line.trimStart() }));
    for (const general of kind === 'crontab' ? GENERAL : GENERAL_SUPERCRONIC)
      this.#jobs.changed({ line: 0, text: general });
    if (kind === 'crontab' && !system)
      this.#jobs.preamble.push('defaults: { cwd: "${HOME:-/}" }  # where cron starts jobs');
    // supercronic knows no order: what a variable was last set to holds for every job.
    if (kind === 'supercronic') for (const line of lines) this.#assign(line);
    for (const line of lines) this.#line(line);
    this.#jobs.leave([...this.#apart, ...this.#comments]);
    this.#askForSystem();
    return this.#jobs.result();
  }

  #line(line: Line): void {
    if (line.text === '') {
      this.#apart.push(...this.#comments);
      this.#comments = [];
    } else if (line.text.startsWith('#')) this.#comments.push(line.text.replace(/^#+ ?/, '').trimEnd());
    else if (isAssignment(line.text)) {
      if (this.#options.kind === 'crontab') this.#assign(line);
    } else this.#job(line);
  }

  #assign({ number, text }: Line): void {
    const [, written = '', value = ''] = isAssignment(text) ? (ASSIGNMENT.exec(text) ?? []) : [];
    if (written === '') return;
    const name = unquoted(written);
    const plain = unquoted(value.trim());
    const changed = (words: string): void => this.#jobs.changed({ line: number, text: words });
    if (name === 'MAILTO' && plain !== '')
      changed(`MAILTO=${plain}: output is no longer mailed there; it is kept with each run`);
    else if (/^(?:MAILFROM|CONTENT_TYPE|CONTENT_TRANSFER_ENCODING|LOGNAME|USER)$/.test(name))
      changed(`${name} means nothing here and is left out`);
    else if (name === 'CRON_TZ' && plain !== '') {
      if (checkZone(plain) !== undefined)
        changed(`CRON_TZ=${plain} is no time zone that tsched knows; its jobs are in the system's`);
      else if (this.#options.kind === 'crontab')
        changed(`CRON_TZ=${plain} holds for the jobs below it, as in cronie; Debian's cron does not know it`);
    } else if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name))
      changed(`${name} cannot be a variable here and is left out`);
    this.#variables.set(name, plain);
  }

  #job(line: Line): void {
    const parts = this.#split(line.text);
    if (typeof parts === 'string') return this.#refuse(line, parts);
    const { schedule, user, rest } = parts;
    const { flags, command, stdin } =
      this.#options.kind === 'crontab' ? commandOf(rest) : { flags: [], command: rest };
    if (command.trim() === '') return this.#refuse(line, 'it has no command');
    const id = this.#jobs.id(nameOf(command));
    if (this.#mayBeOfSystem(command)) this.#namesUser.push(line);
    const { description, comments } = this.#words();
    this.#jobs.add({
      id,
      comments: [...comments, ...this.#mailed()],
      fields: {
        description,
        ...schedule.fields,
        timezone: this.#zone(),
        jitter: this.#jitter(line, id),
        user,
        cwd: this.#directory(line, { id, user }),
        shell: shellOf(this.#variables.get('SHELL')),
        env: this.#environment(),
        run: command,
        stdin,
      },
    });
    for (const flag of flags) {
      const text = `the flag ${flag} of its command is left out: ${FLAGS[flag] ?? ''}`;
      this.#jobs.changed({ line: line.number, job: id, text });
    }
    for (const text of [...schedule.changes, leftBehind(command) ?? []].flat())
      this.#jobs.changed({ line: line.number, job: id, text });
  }

  #mayBeOfSystem(command: string): boolean {
    const { kind, system, homeOf } = this.#options;
    if (kind !== 'crontab' || system) return false;
    const [, user = ''] = /^(\S+)\s+[^-\s]/.exec(command) ?? [];
    return user !== '' && homeOf(user) !== undefined;
  }

  /** A file of /etc/cron.d that was copied elsewhere looks as good as any, and each of its jobs would fail. */
  #askForSystem(): void {
    const [first] = this.#namesUser;
    if (first === undefined || this.#namesUser.length < this.#jobs.count) return;
    const text =
      'each command begins with the name of a user of this machine: a crontab of the system, with a user in each line, is imported with --system';
    this.#jobs.changed({ line: first.number, text });
  }

  #refuse(line: Line, why: string): void {
    this.#jobs.changed({ line: line.number, text: `not carried over, ${why}: ${line.text}` });
    this.#jobs.leave([`Not carried over from line ${line.number}: ${line.text}`]);
  }

  /** The schedule, the user and the command; a text when the line is none of a job. */
  #split(text: string): { schedule: Exclude<Translated, string>; user?: string; rest: string } | string {
    const { kind, system } = this.#options;
    let schedule: Translated = 'it has too few fields';
    for (const count of text.startsWith('@') ? [nicknameWords(text)] : kind === 'crontab' ? [5] : [7, 6, 5]) {
      const [, times, after = ''] =
        new RegExp(String.raw`^((?:\S+(?:\s+|$)){${count}})(.*)$`, 's').exec(text) ?? [];
      if (times === undefined) continue;
      schedule =
        kind === 'crontab'
          ? translateCron(times.trim().replace(/^-/, ''), 'vixie')
          : supercronic(times.trim());
      if (schedule === YEAR) return schedule;
      if (typeof schedule === 'string') continue;
      if (!system) return { schedule, rest: after };
      if (after === '') return 'it has no command';
      const [, user = '', rest = ''] = /^(\S+)(?:\s+(.*))?$/s.exec(after) ?? [];
      const account = user.replace(/:.*$/, '');
      return /^[\w.][\w.@$-]*$/.test(account) ? { schedule, user: account, rest } : 'it names no user';
    }
    return typeof schedule === 'string' ? schedule : 'it cannot be read';
  }

  #words(): { description?: string; comments: readonly string[] } {
    const above = this.#comments;
    const apart = this.#apart;
    this.#comments = [];
    this.#apart = [];
    const text = above.join(' ').trim();
    const isProse =
      text !== '' &&
      text.length <= 200 &&
      !above.some((line) => /^\S+(?:\s+[\d*,/-]+){4}\s|\bdom\b|[|.]--|^[|.]/.test(line));
    return isProse ? { description: text, comments: apart } : { comments: [...apart, ...above] };
  }

  #mailed(): readonly string[] {
    const to = this.#variables.get('MAILTO') ?? '';
    return to === '' ? [] : [`notify: cron mailed its output to ${to}`];
  }

  #zone(): string | undefined {
    const zone = this.#variables.get('CRON_TZ');
    return zone === undefined || checkZone(zone) !== undefined ? undefined : zone;
  }

  #jitter({ number }: Line, job: string): string | undefined {
    const minutes = Number(this.#variables.get('RANDOM_DELAY'));
    if (!(minutes > 0)) return undefined;
    this.#jobs.changed({
      line: number,
      job,
      text: 'RANDOM_DELAY drew the delay anew; `jitter` derives it from job and time',
    });
    return `${Math.round(minutes)}m`;
  }

  /** Where cron starts a job: at home. */
  #directory({ number }: Line, { id, user }: { id: string; user: string | undefined }): string | undefined {
    const home = this.#variables.get('HOME');
    if (home !== undefined && home !== '') return home;
    if (user === undefined) return undefined;
    const found = this.#options.homeOf(user);
    if (found === undefined)
      this.#jobs.changed({
        line: number,
        job: id,
        text: `cron starts it in the home directory of ${user}, which is not known here; \`cwd\` is /`,
      });
    return found ?? '/';
  }

  #environment(): Fields['env'] {
    const kept = [...this.#variables].filter(
      ([name]) => !OWN.test(name) && /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name),
    );
    return kept.length === 0 ? undefined : Object.fromEntries(kept);
  }
}

/** What has a key of its own here, or means nothing. */
const OWN =
  /^(?:SHELL|MAILTO|MAILFROM|CRON_TZ|RANDOM_DELAY|LOGNAME|USER|CONTENT_TYPE|CONTENT_TRANSFER_ENCODING)$/;

/** Undefined: the one that tsched takes too. */
function shellOf(shell = ''): string | undefined {
  return shell === '' || shell === '/bin/sh' ? undefined : shell;
}

const ASSIGNMENT = /^("[^"]*"|'[^']*'|[^\s=]+)\s*=(.*)$/s;

/** cron takes for one whatever has a name and then "=". */
function isAssignment(text: string): boolean {
  return ASSIGNMENT.test(text) && !/^[@#\d*]/.test(text);
}

function unquoted(text: string): string {
  return /^(["']).*\1$/s.test(text) && text.length > 1 ? text.slice(1, -1) : text;
}

/** "@every 5m" has a second word. */
function nicknameWords(text: string): number {
  return /^@every\s/i.test(text) ? 2 : 1;
}

const YEAR = 'it names a year, which cron expressions of tsched do not have';

/** Seven fields begin with seconds and end with the year, six end with the year. */
function supercronic(times: string): Translated {
  const words = times.split(/\s+/);
  if (words.length < 6) return translateCron(times, 'cronexpr');
  const year = words.at(-1) ?? '';
  const schedule = translateCron(words.slice(0, -1).join(' '), 'cronexpr');
  if (typeof schedule === 'string' || /^\*(?:\/1)?$/.test(year)) return schedule;
  return /^\d{4}(?:[-,/]\d+)*$/.test(year) ? YEAR : 'it has no year';
}

/** An unescaped `%` ends the command; what follows is its input, with a line break for each further one, and one at its end. */
function splitInput(text: string): { command: string; stdin?: string } {
  const [command = '', ...lines] = text.split(/(?<!\\)%/).map((part) => part.replaceAll('\\%', '%'));
  if (lines.length === 0) return { command };
  return { command, stdin: lines.join('\n').replace(/\n?$/, '\n') };
}

/** What the BSDs take before a command, as one letter each: crontab(5) of OpenBSD and FreeBSD. */
const FLAGS: Readonly<Record<string, string>> = {
  '-n': 'no mail after a success; nothing is mailed here but what `notify` says',
  '-q': 'nothing was logged; here every run is recorded',
  '-s': 'one run at a time, which is what `overlap: skip` does',
};

function commandOf(text: string): {
  readonly flags: readonly string[];
  readonly command: string;
  readonly stdin?: string;
} {
  const [, written = '', rest = ''] = /^((?:-[nqs]\s+)*)(.*)$/s.exec(text) ?? [];
  return { flags: written.split(/\s+/).filter((flag) => flag !== ''), ...splitInput(rest) };
}
