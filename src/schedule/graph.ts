/** Which jobs follow and need which others, as a graph, and as text that draws it. */
import type { AfterTrigger } from '../chain.ts';
import type { JobDefinition, JobId } from '../model.ts';
import { afterOf } from './follow.ts';

export interface GraphLink {
  readonly from: JobId;
  /** Follows or needs it. */
  readonly to: JobId;
  readonly via: 'after' | 'needs';
  /** Of `after`. */
  readonly on?: AfterTrigger['on'];
  readonly when?: AfterTrigger['when'];
}

export interface Graph {
  /** Those that have a link, in the order of the file. */
  readonly jobs: readonly { readonly id: JobId; readonly enabled: boolean }[];
  readonly links: readonly GraphLink[];
}

/** All jobs that hang together with others, or only those that do with `around`. */
export function graphOf(definitions: Iterable<JobDefinition>, around?: JobId): Graph {
  const all = [...definitions];
  const links = all.flatMap(linksOf);
  const linked = around === undefined ? linkedIds(links) : connected(links, around);
  return {
    jobs: all.filter(({ id }) => linked.has(id)).map(({ id, enabled }) => ({ id, enabled })),
    links: links.filter(({ from }) => linked.has(from)),
  };
}

/**
 * The links of jobs that wait for one another, each job's to the next; undefined where there are none. Looked for from `starts`
 * on: whoever changes some jobs of a set without circles asks of those.
 */
export function circleIn(
  definitions: Iterable<JobDefinition>,
  starts: Iterable<JobDefinition>,
): readonly GraphLink[] | undefined {
  const linked = Array.from(starts).filter((job) => linksOf(job).length > 0);
  if (linked.length === 0) return undefined;
  const jobs = new Map(Array.from(definitions, (job) => [job.id, job]));
  const done = new Set<JobId>();
  for (const start of linked) {
    // The way from `start` to the job that is looked at, with the links of each that were followed.
    const places = new Map<JobId, number>();
    const way: { readonly id: JobId; readonly links: readonly GraphLink[]; next: number }[] = [];
    const enter = (id: JobId): void => {
      const job = jobs.get(id);
      if (job === undefined || done.has(id)) return;
      places.set(id, way.length);
      way.push({ id, links: linksOf(job), next: 0 });
    };
    enter(start.id);
    for (let last = way.at(-1); last !== undefined; last = way.at(-1)) {
      const link = last.links[last.next];
      last.next += 1;
      const back = link === undefined ? undefined : places.get(link.from);
      if (back !== undefined) return way.slice(back).flatMap(({ links, next }) => links[next - 1] ?? []);
      if (link !== undefined) enter(link.from);
      else {
        way.pop();
        places.delete(last.id);
        done.add(last.id);
      }
    }
  }
  return undefined;
}

/** What a job follows and needs. */
export function linksOf({ id: to, schedule, needs }: JobDefinition): GraphLink[] {
  const { jobs = [], on = 'success', when = 'all' } = afterOf(schedule) ?? {};
  return [
    ...jobs.map((from) => ({ from, to, via: 'after' as const, on, when })),
    ...(needs?.jobs ?? []).map((from) => ({ from, to, via: 'needs' as const })),
  ];
}

function linkedIds(links: readonly GraphLink[]): Set<JobId> {
  return new Set(links.flatMap(({ from, to }) => [from, to]));
}

/** All that can be come to from there, along links in either direction. */
function connected(links: readonly GraphLink[], around: JobId): Set<JobId> {
  const beside = new Map<JobId, JobId[]>();
  for (const { from, to } of links) {
    beside.set(from, [...(beside.get(from) ?? []), to]);
    beside.set(to, [...(beside.get(to) ?? []), from]);
  }
  const seen = new Set([around]);
  for (const id of seen) for (const next of beside.get(id) ?? []) seen.add(next);
  return seen;
}

/** For Graphviz: `dot -Tsvg`. */
export function asDot({ jobs, links }: Graph): string {
  const nodes = jobs.map(({ id, enabled }) => `  "${id}"${enabled ? '' : ' [style=dotted]'};\n`);
  const edges = links.map((link) => {
    const label = labelOf(link);
    const style = [
      ...(label === '' ? [] : [`label="${label}"`]),
      ...(link.via === 'needs' ? ['style=dashed'] : []),
    ];
    return `  "${link.from}" -> "${link.to}"${style.length === 0 ? '' : ` [${style.join(', ')}]`};\n`;
  });
  return `digraph tsched {\n  rankdir=LR;\n${nodes.join('')}${edges.join('')}}\n`;
}

/** For Mermaid, which Markdown viewers draw. Its own words cannot be names there, so that jobs get numbers. */
export function asMermaid({ jobs, links }: Graph): string {
  const names = new Map(jobs.map(({ id }, index) => [id, `j${index}`]));
  const nodes = jobs.map(({ id }) => `  ${names.get(id)}["${id}"]\n`);
  const edges = links.map((link) => {
    const label = labelOf(link);
    const arrow = link.via === 'needs' ? '-.->' : '-->';
    return `  ${names.get(link.from)} ${arrow}${label === '' ? '' : `|${label}|`} ${names.get(link.to)}\n`;
  });
  return `flowchart LR\n${nodes.join('')}${edges.join('')}`;
}

/** Empty for what is usual. */
function labelOf({ via, on, when }: GraphLink): string {
  if (via === 'needs') return 'needs';
  return [...(on === 'success' ? [] : [on]), ...(when === 'any' ? ['any'] : [])].join(', ');
}

/** A line of the drawing in text: what stands before the id, and what is to be said of it. */
export interface GraphLine {
  readonly indent: string;
  readonly id: JobId;
  readonly note: string;
}

/** As a tree: from jobs that wait for nobody down to those that wait for them. What joins several stands whole below the first. */
export function asTree({ jobs, links }: Graph): GraphLine[] {
  const below = Map.groupBy(links, ({ from }) => from);
  const above = Map.groupBy(links, ({ to }) => to);
  const lines: GraphLine[] = [];
  const seen = new Set<JobId>();
  const draw = (
    id: JobId,
    link: GraphLink | undefined,
    [indent, further]: readonly [string, string],
  ): void => {
    const next = below.get(id) ?? [];
    const isKnown = seen.has(id);
    seen.add(id);
    const others = (above.get(id) ?? []).filter((other) => link !== undefined && other.from !== link.from);
    const notes = [noteOf(link, others), ...(isKnown && next.length > 0 ? ['see above'] : [])];
    lines.push({ indent, id, note: notes.filter((note) => note !== '').join('; ') });
    if (isKnown) return;
    for (const [index, child] of next.entries()) {
      const isLast = index === next.length - 1;
      draw(child.to, child, [`${further}${isLast ? '└─ ' : '├─ '}`, `${further}${isLast ? '   ' : '│  '}`]);
    }
  };
  for (const { id } of jobs) if (!above.has(id)) draw(id, undefined, ['', '']);
  return lines;
}

function noteOf(link: GraphLink | undefined, others: readonly GraphLink[]): string {
  if (link === undefined) return '';
  if (link.via === 'needs') return 'needs it';
  const ends = { success: 'succeeded', failure: 'failed', finish: 'ended' }[link.on ?? 'success'];
  const names = others.filter(({ via }) => via === 'after').map(({ from }) => from);
  if (names.length === 0) return `when it has ${ends}`;
  return link.when === 'any'
    ? `when it or ${names.join(' or ')} has ${ends}`
    : `when it and ${names.join(', ')} have ${ends}`;
}
