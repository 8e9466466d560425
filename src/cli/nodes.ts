/** The nodes of a cluster: shows them, drains one, lets it take again. */
import type { NodeState } from '../engine/ports-cluster.ts';
import { elapsed, printable, printableJson } from '../observe/text.ts';
import { Client, type ClientOptions } from './client.ts';
import { exit, Failure } from './exit.ts';
import type { Session, Style } from './session.ts';
import { table, type Cell } from './table.ts';

export interface NodesOptions extends ClientOptions {
  readonly json?: boolean;
}

/** The shapes of src/http/shapes-cluster.ts. */
export interface ToldNode {
  readonly name: string;
  readonly state: NodeState;
  readonly conducts: boolean;
  readonly schedules: boolean;
  readonly labels: readonly string[];
  readonly slots: number;
  readonly busy: number;
  readonly host: string;
  readonly pid: number;
  readonly heardAgoMs: number;
  readonly skewMs: number;
  readonly file: 'same' | 'differs' | 'none';
  readonly lacks: readonly string[];
}

export interface ToldCluster {
  readonly nodes: readonly ToldNode[];
  readonly conductor: string | null;
  readonly term: number;
  readonly fileVersion: number | null;
  readonly queued: readonly {
    readonly labels: readonly string[];
    readonly module: string | null;
    readonly count: number;
    readonly oldestMs: number;
  }[];
}

/** Clocks that are further off are warned about by their nodes. */
const FAR_OFF = 1000;

/** Gives the exit code. */
export async function nodes(
  { action, node }: { readonly action: string | undefined; readonly node: string | undefined },
  options: NodesOptions,
  session: Session,
): Promise<number> {
  const client = new Client(options, session);
  if (action === 'drain' || action === 'resume') {
    if (node === undefined)
      throw new Failure(
        exit.usage,
        `nothing says which node is to ${action}`,
        `tsched nodes ${action} web-1`,
      );
    const told = await client.post<ToldNode>(`/nodes/${encodeURIComponent(node)}/${action}`);
    session.out(options.json === true ? `${printableJson(told)}\n` : `${toldInWords(told, action)}\n`);
    return exit.ok;
  }
  const told = await client.get<ToldCluster>('/nodes');
  session.out(options.json === true ? `${printableJson(told)}\n` : clusterInWords(told, session));
  return exit.ok;
}

function toldInWords({ name, state, busy }: ToldNode, action: 'drain' | 'resume'): string {
  const isThere = state === 'up' || state === 'draining';
  const then = isThere ? '' : `, once it is back: it is ${state}`;
  if (action === 'resume') return `${printable(name)} takes again${then}`;
  const rest = isThere && busy > 0 ? `; ${busy === 1 ? '1 attempt' : `${busy} attempts`} may end` : '';
  return `${printable(name)} takes nothing new${then}${rest}`;
}

function clusterInWords(told: ToldCluster, session: Session): string {
  const paint = session.painter('out');
  const heading = ['NODE', 'STATE', 'ROLE', 'LABELS', 'BUSY', 'CLOCK', 'FILE', 'HEARD', 'HOST'];
  const file = told.fileVersion === null ? '' : `, job file version ${told.fileVersion}`;
  const notes = [
    told.conductor === null ? paint('red', 'no node conducts: nothing is decided until one does') : '',
    ...told.nodes.filter(({ lacks }) => lacks.length > 0).map(lacksInWords),
    ...told.queued.map((queued) => queuedInWords(queued, told.nodes)),
    paint('dim', `term ${told.term}${file}`),
  ];
  const rows = told.nodes.map(rowOf);
  return `${table(heading, rows, paint)}${notes
    .filter((note) => note !== '')
    .map((note) => `${note}\n`)
    .join('')}`;
}

const STYLES: Readonly<Record<NodeState, Style>> = {
  up: 'green',
  draining: 'yellow',
  stopped: 'dim',
  silent: 'red',
};

function rowOf(node: ToldNode): Cell[] {
  const { name, state, conducts, schedules, labels, busy, slots, file, heardAgoMs, host } = node;
  return [
    { text: printable(name), style: 'bold' },
    { text: state, style: STYLES[state] },
    conducts ? { text: 'conducts', style: 'cyan' } : { text: schedules ? 'may conduct' : 'works' },
    { text: printable(labels.join(',')) },
    { text: `${busy}/${slots}` },
    clockCell(node),
    file === 'differs' ? { text: file, style: 'yellow' } : { text: file === 'none' ? '–' : file },
    { text: `${elapsed(heardAgoMs)} ago` },
    { text: printable(host) },
  ];
}

function clockCell({ skewMs, state }: ToldNode): Cell {
  if (state === 'stopped' || state === 'silent') return { text: '–' };
  if (Math.abs(skewMs) <= FAR_OFF) return { text: 'good' };
  return { text: `${skewMs > 0 ? '+' : '-'}${elapsed(Math.abs(skewMs))}`, style: 'red' };
}

function lacksInWords({ name, lacks }: ToldNode): string {
  return `${printable(name)} lacks ${printable(lacks.join(', '))}: it takes no run of these modules`;
}

function queuedInWords(
  { labels, module, count, oldestMs }: ToldCluster['queued'][number],
  nodes: readonly ToldNode[],
): string {
  const needs = [...(labels.length === 0 ? [] : [labels.join(', ')]), ...(module === null ? [] : [module])];
  const which = needs.length === 0 ? 'any node' : `a node with ${needs.join(' and ')}`;
  const what = count === 1 ? '1 attempt waits' : `${count} attempts wait`;
  const isThere = nodes.some(
    (node) => node.state === 'up' && labels.every((label) => node.labels.includes(label)),
  );
  const nobody = isThere ? '' : '; no node that is up has these labels and takes what is new';
  return `${what} for ${printable(which)}, ${count === 1 ? '' : 'the oldest '}for ${elapsed(oldestMs)}${nobody}`;
}
