/** The notifiers of all files of a job set: which there are, and whether anybody uses them. */
import type { Notifier, Notifiers } from '../model.ts';
import type { Problem } from '../schedule/problem.ts';
import { suggest } from '../schedule/suggest.ts';
import { NOTIFIER_FIELDS } from './notify-fields.ts';
import type { Outline } from './outline.ts';
import type { Values } from './read.ts';
import { defaultsOf } from './shape.ts';

/** What the reader makes of NOTIFIER_FIELDS. */
interface NotifierValues {
  mail?: { to?: readonly string[]; from?: string; smtp?: string };
  webhook?: string;
  format?: Extract<Notifier, { kind: 'webhook' }>['format'];
  secret?: string;
  headers?: Readonly<Record<string, string>>;
  command?: readonly string[];
  digest?: number;
}

type Complain = (problem: Problem) => void;

/** Stands for nobody, where `defaults` would tell somebody. */
export const NOBODY = 'none';

const WAYS = ['mail', 'webhook', 'command'] as const;
const WEBHOOK_ONLY = ['format', 'secret', 'headers'] as const;

const DEFAULTS = defaultsOf(NOTIFIER_FIELDS) as { mail: { smtp: string }; format: 'json' };

export class NotifierBook {
  /** By name, with the file it stands in; also those that have mistakes. */
  readonly #outlines = new Map<string, Outline>();
  readonly #used = new Set<string>();
  readonly #good: Record<string, Notifier> = {};
  readonly #elsewhere: readonly string[] | undefined;

  /** `elsewhere`: those that another file has, if all must stand there. */
  constructor(elsewhere: readonly string[] | undefined) {
    this.#elsewhere = elsewhere;
  }

  /** All that were found to be right. */
  get notifiers(): Notifiers {
    return this.#good;
  }

  /** Takes in those of one file, and reports what is wrong with them. */
  add(outline: Outline): void {
    const values = (outline.settings['notifiers'] ?? {}) as Readonly<Record<string, NotifierValues>>;
    for (const name of outline.namesIn('notifiers')) {
      const complain: Complain = (problem) =>
        outline.reader.problem(outline.spanIn('notifiers', name), `notifiers.${name}`, problem);
      if (this.#elsewhere !== undefined)
        complain({ message: 'notifiers stand in the job file of the daemon', hint: 'put it there' });
      const first = this.#outlines.get(name);
      if (first !== undefined && first !== outline)
        complain({ message: `the notifier "${name}" is in ${first.source.name} too`, hint: 'rename one' });
      this.#outlines.set(name, outline);
      const own = values[name];
      const notifier = own === undefined ? undefined : build(own, outline.source.directory, complain);
      if (notifier !== undefined) this.#good[name] = notifier;
    }
  }

  /** Notes the names that a `notify` has, and reports those that are none. */
  use(notify: unknown, complain: Complain): void {
    const lists = Object.values((notify ?? {}) as Values).filter((value) => Array.isArray(value));
    for (const name of new Set(lists.flat() as string[])) {
      this.#used.add(name);
      const known = [...this.#outlines.keys(), ...(this.#elsewhere ?? [])];
      if (name === NOBODY || known.includes(name)) continue;
      const near = suggest(name, known);
      const hint =
        near === undefined
          ? known.length === 0
            ? 'name it under notifiers:'
            : `notifiers: ${known.join(', ')}`
          : `did you mean "${near}"?`;
      complain({ message: `there is no notifier "${name}"`, hint });
    }
  }

  /** To be called when all that uses them is known. */
  warnOfUnused(): void {
    for (const [name, outline] of this.#outlines) {
      if (this.#used.has(name)) continue;
      outline.reader.warning(outline.spanIn('notifiers', name), `notifiers.${name}`, {
        message: `no job uses the notifier "${name}"`,
        hint: `write notify: ${name} in a job or in defaults`,
      });
    }
  }
}

function build(own: NotifierValues, directory: string, complain: Complain): Notifier | undefined {
  const notifier = wayOf(own, directory, complain);
  return notifier === undefined || own.digest === undefined ? notifier : { ...notifier, digest: own.digest };
}

function wayOf(own: NotifierValues, directory: string, complain: Complain): Notifier | undefined {
  const [way, ...more] = WAYS.filter((key) => key in own);
  if (way === undefined || more.length > 0) {
    const message = way === undefined ? 'nothing says how it tells' : `it tells by ${way} already`;
    complain({ message, hint: 'write one of mail:, webhook: and command:' });
    return undefined;
  }
  const idle = WEBHOOK_ONLY.find((key) => key in own);
  if (way !== 'webhook' && idle !== undefined) complain({ message: `"${idle}" is for webhooks only` });
  const { mail, webhook, command, secret } = own;
  if (mail !== undefined) {
    if (!('to' in mail)) complain({ message: 'nothing says who gets the mail', hint: 'add to:' });
    const { to = [], from, smtp = DEFAULTS.mail.smtp } = mail;
    return { kind: 'mail', to, ...(from === undefined ? {} : { from }), smtp };
  }
  if (webhook !== undefined) {
    const { format = DEFAULTS.format, headers = {} } = own;
    return { kind: 'webhook', url: webhook, format, ...(secret === undefined ? {} : { secret }), headers };
  }
  return command === undefined ? undefined : { kind: 'command', argv: command, cwd: directory };
}
