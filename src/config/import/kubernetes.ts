/** CronJobs of Kubernetes, whose commands are to run on this machine instead of in a container. */
import { checkZone } from '../../schedule/zone-name.ts';
import { translateCron, type Translation } from './foreign-cron.ts';
import { ALLOWED_INSTANCES } from '../fields.ts';
import { graceTime, record, seconds, type Item } from './foreign-yaml.ts';
import { Collection, type Fields, type Imported } from './imported.ts';

const GENERAL = [
  'commands run on this machine as they are, not in their containers: images, volumes and resources are not carried over',
  'finished runs stay as long as `history` and `output` say, whatever the history limits and ttlSecondsAfterFinished are',
];

export function importKubernetes(documents: readonly Item[]): Imported {
  const collection = new Collection();
  for (const text of GENERAL) collection.changed({ line: 0, text });
  for (const object of documents.flatMap((document) => [document, ...document.get('items').items])) {
    const kind = object.get('kind').text;
    if (kind === 'CronJob') new CronJob(collection, object).read();
    else if (kind !== 'List' && kind !== 'CronJobList')
      collection.changed({
        line: object.line,
        text: `${kind ?? 'something without a kind'} is no CronJob and not carried over`,
      });
  }
  return collection.result();
}

class CronJob {
  readonly #collection: Collection;
  readonly #object: Item;
  readonly #spec: Item;
  readonly #job: Item;
  readonly #pod: Item;
  readonly #container: Item;
  readonly #id: string;

  constructor(collection: Collection, object: Item) {
    this.#collection = collection;
    this.#object = object;
    this.#spec = object.get('spec');
    this.#job = this.#spec.get('jobTemplate', 'spec');
    this.#pod = this.#job.get('template', 'spec');
    this.#container = this.#pod.get('containers').items[0] ?? object.get('nothing');
    this.#id = collection.id(
      object.get('metadata', 'name').text ?? object.get('metadata', 'generateName').text ?? '',
    );
  }

  read(): void {
    const { expression, zone } = scheduleOf(this.#spec.get('schedule').text ?? '');
    const schedule = translateCron(expression, 'robfig');
    const command = this.#command();
    if (typeof schedule === 'string') return this.#refuse(this.#spec.get('schedule'), schedule);
    if (command === undefined)
      return this.#refuse(this.#container, 'what it runs is written in its image alone; it has no `command`');
    this.#collection.add({
      id: this.#id,
      comments: [`was run in ${this.#container.get('image').text ?? 'a container'}`],
      fields: {
        ...schedule.fields,
        timezone: this.#zone(schedule, zone),
        user: this.#user(),
        cwd: this.#container.get('workingDir').text ?? '/',
        env: this.#environment(),
        command,
        ...this.#policy(),
      },
    });
    for (const text of schedule.changes) this.#changed(this.#spec.get('schedule'), text);
    this.#tellOfTheRest(command);
  }

  #changed(where: Item, text: string): void {
    this.#collection.changed({ line: where.line || this.#object.line, job: this.#id, text });
  }

  #refuse(where: Item, why: string): void {
    this.#changed(where, `not carried over: ${why}`);
    this.#collection.leave([`Not carried over: ${this.#id}, line ${this.#object.line}`]);
  }

  #command(): string[] | undefined {
    const words = (key: string): string[] => this.#container.get(key).items.map((item) => item.text ?? '');
    return words('command').length === 0 ? undefined : [...words('command'), ...words('args')];
  }

  /** @param written in the schedule itself */
  #zone({ fields }: Translation, written: string | undefined): string | undefined {
    if (!('cron' in fields)) return undefined;
    const zone = this.#spec.get('timeZone');
    const name = zone.text ?? written;
    if (name === undefined) {
      this.#changed(
        this.#spec.get('schedule'),
        "without timeZone it was in the zone of the cluster's controller; UTC is written",
      );
      return 'UTC';
    }
    if (checkZone(name) === undefined) return name;
    this.#changed(zone, `${name} is no time zone that tsched knows; UTC is written`);
    return 'UTC';
  }

  #user(): string | undefined {
    const own = this.#container.get('securityContext', 'runAsUser');
    const user = own.isThere ? own : this.#pod.get('securityContext', 'runAsUser');
    if (user.text !== undefined) this.#changed(user, `runAsUser ${user.text} is a user of this machine here`);
    return user.text;
  }

  #environment(): Fields['env'] {
    for (const source of this.#container.get('envFrom').items)
      this.#changed(source, 'variables of envFrom are not carried over; see `env_file`');
    const pairs: [string, string][] = [];
    for (const variable of this.#container.get('env').items) {
      const name = variable.get('name').text ?? '';
      const value = variable.get('value').text;
      if (variable.get('valueFrom').isThere)
        this.#changed(
          variable,
          `the variable ${name} came from elsewhere and is not carried over; see \`env_file\``,
        );
      else if (/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name)) pairs.push([name, value ?? '']);
      else this.#changed(variable, `"${name}" cannot be a variable here and is left out`);
      if (/\$\(\w+\)/.test(value ?? '')) this.#changed(variable, `$(NAME) in ${name} is not replaced here`);
    }
    return record(pairs);
  }

  #policy(): Fields {
    const policy = this.#spec.get('concurrencyPolicy');
    const overlap = { Forbid: 'skip', Replace: 'replace' }[policy.text ?? ''] ?? 'allow';
    if (overlap === 'allow')
      this.#changed(
        policy,
        `any number could run at once; here no more than \`max_instances\`, ${ALLOWED_INSTANCES}`,
      );
    const limit = this.#job.get('backoffLimit').number ?? 6;
    const grace = seconds(this.#spec.get('startingDeadlineSeconds').number);
    return {
      overlap,
      misfire: grace === undefined ? undefined : { run: 'latest', grace },
      retry:
        limit === 0
          ? undefined
          : { limit, delay: '10s', backoff: 'exponential', max_delay: '6m', jitter: false },
      timeout: seconds(this.#job.get('activeDeadlineSeconds').number),
      kill_after: graceTime(this.#pod.get('terminationGracePeriodSeconds').number ?? 30),
      enabled: this.#spec.get('suspend').isTrue ? false : undefined,
    };
  }

  #tellOfTheRest(command: readonly string[]): void {
    const deadline = this.#job.get('activeDeadlineSeconds');
    if (deadline.isThere)
      this.#changed(deadline, 'activeDeadlineSeconds bounded all attempts together; `timeout` bounds each');
    if (!this.#spec.get('startingDeadlineSeconds').isThere)
      this.#changed(
        this.#object,
        'without startingDeadlineSeconds a missed time was made up for however late; here within an hour (`misfire`)',
      );
    if (!this.#container.get('workingDir').isThere)
      this.#changed(this.#container, "it began in its image's working directory; `cwd` is /");
    if (command.some((word) => /\$\(\w+\)/.test(word)))
      this.#changed(
        this.#container,
        '$(NAME) in its command is not replaced here; let a shell do it, with `run`',
      );
    for (const other of this.#pod.get('containers').items.slice(1))
      this.#changed(
        other,
        `the container "${other.get('name').text ?? ''}" is not carried over, only the first is`,
      );
    for (const key of ['parallelism', 'completions'])
      if ((this.#job.get(key).number ?? 1) > 1)
        this.#changed(this.#job.get(key), `${key}: here it runs once`);
    for (const [item, known] of [
      [this.#spec, SPEC],
      [this.#job, JOB],
      [this.#pod, POD],
      [this.#container, CONTAINER],
      [this.#pod.get('securityContext'), SECURITY],
      [this.#container.get('securityContext'), SECURITY],
    ] as const)
      for (const key of item.keys.filter((name) => !known.has(name)))
        this.#changed(item.get(key), `${key}: not carried over`);
  }
}

const setOf = (names: string): ReadonlySet<string> => new Set(names.split(/\s+/));

/** Keys that are carried over or told of elsewhere, and those whose loss changes nothing: what kubectl adds by itself, most of them. */
const SPEC = setOf(`schedule timeZone concurrencyPolicy startingDeadlineSeconds suspend jobTemplate
  successfulJobsHistoryLimit failedJobsHistoryLimit`);
const JOB = setOf(`template backoffLimit activeDeadlineSeconds parallelism completions completionMode
  ttlSecondsAfterFinished manualSelector selector suspend podReplacementPolicy`);
const POD =
  setOf(`containers restartPolicy terminationGracePeriodSeconds securityContext dnsPolicy schedulerName
  imagePullSecrets`);
const CONTAINER = setOf(`name image imagePullPolicy command args workingDir env envFrom securityContext
  terminationMessagePath terminationMessagePolicy ports stdin stdinOnce tty`);
const SECURITY = setOf('runAsUser runAsNonRoot');

/** Older clusters take the zone before the expression, as the library that reads it does. */
function scheduleOf(text: string): { expression: string; zone?: string } {
  const [, zone, rest = ''] = /^\s*(?:CRON_)?TZ=(\S+)\s+(.*)$/.exec(text) ?? [];
  return zone === undefined ? { expression: text } : { expression: rest, zone };
}
