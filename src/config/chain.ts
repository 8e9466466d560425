/** Whether jobs that follow or need one another can: all of them are there, and none waits for itself. */
import type { AfterTrigger, NeedsPolicy } from '../chain.ts';
import type { Duration } from '../model.ts';
import { variableOf } from '../schedule/params.ts';
import type { Problem } from '../schedule/problem.ts';
import { suggest } from '../schedule/suggest.ts';
import { after as AFTER, CHAIN_FIELDS } from './chain-fields.ts';
import type { OutlinedJob, Outline } from './outline.ts';
import type { Values } from './read.ts';
import { defaultsOf } from './shape.ts';

/** How a job depends on others. */
type LinkKey = 'after' | 'needs';

/** What the reader makes of `after`. */
interface AfterValues extends Partial<Pick<AfterTrigger, 'on' | 'when'>> {
  jobs?: readonly string[];
}

interface Link {
  readonly key: LinkKey;
  readonly to: string;
}

/** A job of a file, with its values after defaults. */
interface ChainedJob {
  readonly outline: Outline;
  readonly job: OutlinedJob;
  readonly values: Values;
  readonly enabled: boolean;
}

interface LinkedJob extends ChainedJob {
  readonly links: readonly Link[];
}

/** What the reader makes of CHAIN_FIELDS. */
export interface ChainValues {
  after?: AfterValues;
  needs?: readonly string[];
  needs_timeout?: Duration;
  needs_failed?: NeedsPolicy['failed'];
}

/** Candidates for a mistyped id: more would take long, and of so many ids one is like any word. */
const MOST_COMPARED = 10_000;

/** The links between the jobs of all files of a set. */
export class Chain {
  readonly #jobs = new Map<string, LinkedJob>();
  #hasLinks = false;

  /** Takes in one job; of several with one id, the first. */
  add(chained: ChainedJob): void {
    const { id } = chained.job;
    if (this.#jobs.has(id)) return;
    const links = linksOf(chained.values);
    this.#jobs.set(id, { ...chained, links });
    if (links.length > 0) this.#hasLinks = true;
  }

  /** Reports what cannot be, once all jobs are there. `elsewhere`: ids of jobs that another file has. */
  check(elsewhere: readonly string[] = []): void {
    if (!this.#hasLinks) return;
    const others = new Set(elsewhere);
    for (const from of this.#jobs.values()) {
      for (const link of from.links) {
        const target = this.#jobs.get(link.to);
        if (target === undefined && !others.has(link.to)) this.#sayUnknown(from, link, elsewhere);
        else if (from.enabled && target?.enabled === false) {
          const what = link.key === 'after' ? 'are followed' : 'count, and those it had before';
          const message = `"${link.to}" is disabled, so only its runs by hand ${what}`;
          from.outline.say('warning', from.job, {
            key: link.key,
            message,
            hint: 'enable it, or remove it here',
          });
        }
      }
    }
    this.#findCycles();
  }

  #sayUnknown({ outline, job }: LinkedJob, { key, to }: Link, elsewhere: readonly string[]): void {
    const near = suggest(to, [...this.#jobs.keys(), ...elsewhere].slice(0, MOST_COMPARED));
    const hint = near === undefined ? {} : { hint: `did you mean "${near}"?` };
    outline.say('error', job, { key, message: `there is no job "${to}"`, ...hint });
  }

  /** Reports each circle once, at the first of its jobs that is met, and names all its links with their lines. */
  #findCycles(): void {
    const done = new Set<string>();
    for (const start of this.#jobs.keys()) {
      // The way from `start` to the job that is looked at, with the link of each that is being followed.
      const way: { readonly at: LinkedJob; next: number }[] = [];
      const enter = (id: string): void => {
        const at = this.#jobs.get(id);
        if (at !== undefined && !done.has(id)) way.push({ at, next: 0 });
      };
      enter(start);
      for (let last = way.at(-1); last !== undefined; last = way.at(-1)) {
        const link = last.at.links[last.next];
        last.next += 1;
        const back = link === undefined ? -1 : way.findIndex(({ at }) => at.job.id === link.to);
        if (link === undefined) {
          way.pop();
          done.add(last.at.job.id);
        } else if (back === -1) enter(link.to);
        else sayCycle(way.slice(back).map(({ at, next }) => ({ at, link: at.links[next - 1] ?? link })));
      }
    }
  }
}

function linksOf({ after, needs }: Values): Link[] {
  const { jobs = [] } = (after ?? {}) as { jobs?: readonly string[] };
  const needed = (needs ?? []) as readonly string[];
  return [
    ...jobs.map((to) => ({ key: 'after' as const, to })),
    ...needed.map((to) => ({ key: 'needs' as const, to })),
  ];
}

function sayCycle(circle: readonly { readonly at: LinkedJob; readonly link: Link }[]): void {
  const [first] = circle;
  if (first === undefined) return;
  const words = circle.map(({ at: { outline, job }, link: { key, to } }) => {
    const { file, line } = outline.source.place(outline.spanOfKey(job, key).start);
    return `${job.id} ${key} ${to} (${file}:${line})`;
  });
  const message =
    circle.length === 1
      ? 'a job cannot wait for itself'
      : `these jobs wait for one another: ${words.join(', ')}`;
  const { outline, job } = first.at;
  outline.say('error', job, { key: first.link.key, message, hint: 'remove one of these links' });
}

const DEFAULTS = defaultsOf(AFTER.fields) as Pick<AfterTrigger, 'on' | 'when'>;

/** The trigger that `after` makes. */
export function afterTrigger({
  jobs = [],
  on = DEFAULTS.on,
  when = DEFAULTS.when,
}: AfterValues): AfterTrigger {
  return { kind: 'after', jobs: [...new Set(jobs)], on, when };
}

const NEED_DEFAULTS = defaultsOf(CHAIN_FIELDS) as {
  needs_timeout: Duration;
  needs_failed: NeedsPolicy['failed'];
};

/** The policy that `needs` and the keys beside it make. */
export function needsPolicy(values: ChainValues): NeedsPolicy {
  const { needs = [], needs_timeout, needs_failed } = { ...NEED_DEFAULTS, ...values };
  return { jobs: [...new Set(needs)], timeout: needs_timeout, failed: needs_failed };
}

/** What a job says of others that cannot be meant, by the key at fault; told of the values after defaults. */
export function chainErrors(values: Values): [string, Problem][] {
  const { after, needs } = values as ChainValues;
  const errors = [...sameVariable('after', after?.jobs), ...sameVariable('needs', needs)];
  if (after === undefined) return errors;
  if (after.jobs === undefined)
    errors.push(['after', { message: 'nothing says which jobs it follows', hint: 'add jobs:' }]);
  if (needs !== undefined) {
    const message = '"needs" is for jobs with a clock, and this one has "after"';
    errors.push(['needs', { message, hint: 'name all of them in after: { jobs: […] }' }]);
  }
  const clock = ['cron', 'every', 'at', 'startup'].find((key) => values[key] !== undefined);
  if (clock !== undefined) {
    const message = `a job goes by "${clock}" or by "after", not by both`;
    const hint = 'with a clock, "needs" makes it wait for other jobs; or make two jobs of it';
    errors.push(['after', { message, hint }]);
  }
  return errors;
}

/** Of two whose variables have one name, a process would be told of one only. */
function sameVariable(key: LinkKey, ids: readonly string[] = []): [string, Problem][] {
  const first = new Map<string, string>();
  return ids.flatMap((id): [string, Problem][] => {
    const variable = variableOf(id);
    const other = first.get(variable) ?? id;
    first.set(variable, other);
    if (other === id) return [];
    const message = `"${other}" and "${id}" are both TSCHED_NEEDS_${variable}_RESULT`;
    return [[key, { message, hint: 'rename one' }]];
  });
}

/** Keys that are for clocks. */
const CLOCK_KEYS = ['jitter', 'start', 'end', 'roll'];

/** What a job's own keys say to no effect. */
export function chainWarnings(values: Values, own: Values): [string, Problem][] {
  if (values['after'] === undefined) return [];
  const idle = CLOCK_KEYS.filter((key) => key in own);
  const warnings = idle.map((key): [string, Problem] => [key, { message: 'has no effect with "after"' }]);
  const { finished_by } = (own['expect'] ?? {}) as { finished_by?: string };
  if (finished_by === undefined) return warnings;
  const message = '"finished_by" has no effect with "after": nothing says when this job is due';
  return [
    ...warnings,
    ['expect', { message, hint: 'write every:, or say it of the job that has the clock' }],
  ];
}
