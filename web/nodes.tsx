/** The nodes of a cluster: which of them conducts, what each has to do, what waits for some of them. */
import { computed, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { attempt } from './actions.ts';
import { ApiProblem, ask, segment, session } from './api.ts';
import { lengthOf, type Run } from './model.ts';
import { JobLink, Mark, Panel, RunLink } from './parts.tsx';
import { jobs, now } from './state.ts';
import { coarse, duration } from './words.ts';

/** As /nodes tells it (src/http/shapes-cluster.ts). */
interface Node {
  readonly name: string;
  readonly state: 'up' | 'draining' | 'stopped' | 'silent';
  readonly conducts: boolean;
  readonly schedules: boolean;
  readonly labels: readonly string[];
  readonly slots: number;
  readonly busy: number;
  readonly host: string;
  readonly version: string;
  readonly heardAgoMs: number;
  readonly skewMs: number;
  readonly file: 'same' | 'differs' | 'none';
  readonly lacks: readonly string[];
}

interface Cluster {
  readonly nodes: readonly Node[];
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

/** As often as nodes beat. Milliseconds. */
const OFTEN = 2000;
/** From here on a clock is warned about, and from there on its node does not conduct. */
const SKEWED = 1000;
const TOO_FAR = 5000;
const MOST_RUNS = 10;

/** Runs that are begun, by the node that has them. */
const byNode = computed(() => {
  const active = [...jobs.value.values()].flatMap((job) => job.active);
  return Map.groupBy(
    active.filter(({ state }) => state === 'running'),
    ({ attempts }) => attempts.at(-1)?.node ?? '',
  );
});

export function Nodes() {
  const told = useSignal<Cluster | undefined>(undefined);
  const trouble = useSignal('');
  const look = async (): Promise<void> => {
    try {
      told.value = await ask<Cluster>('nodes');
      trouble.value = '';
    } catch (error) {
      trouble.value = error instanceof ApiProblem ? error.message : 'the daemon cannot be reached';
    }
  };
  useEffect(() => {
    void look();
    const timer = setInterval(() => {
      if (!document.hidden) void look();
    }, OFTEN);
    return () => clearInterval(timer);
  }, []);
  const cluster = told.value;
  return (
    <>
      <div class="title">
        <h1>Nodes</h1>
        {cluster === undefined ? undefined : (
          <span class="faint">
            term {cluster.term}
            {cluster.fileVersion === null ? '' : `, job file version ${cluster.fileVersion}`}
          </span>
        )}
      </div>
      {trouble.value === '' ? undefined : (
        <p class="trouble-box" role="alert">
          {trouble.value}
        </p>
      )}
      {cluster === undefined ? undefined : <Told cluster={cluster} look={look} />}
    </>
  );
}

function Told({ cluster, look }: { cluster: Cluster; look: () => Promise<void> }) {
  const { nodes, conductor, queued } = cluster;
  return (
    <>
      {[
        ...(conductor === null ? ['No node conducts: nothing is decided until one does.'] : []),
        ...nodes.flatMap(warningsOf),
      ].map((warning) => (
        <p key={warning} class="trouble-box" role="alert">
          {warning}
        </p>
      ))}
      <div class="scroll">
        <table class="nodes">
          <thead>
            <tr>
              {['Node', 'Labels', 'Busy', 'Clock', 'File', 'Heard', ''].map((name) => (
                <th key={name} scope="col">
                  {name === '' ? <span class="hidden">Actions</span> : name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {nodes.map((node) => (
              <Row key={node.name} node={node} look={look} />
            ))}
          </tbody>
        </table>
      </div>
      <div class="columns even">
        <Queued queued={queued} />
        <Where nodes={nodes} />
      </div>
    </>
  );
}

function warningsOf({ name, skewMs, state, lacks, file }: Node): string[] {
  const isThere = state === 'up' || state === 'draining';
  const off = Math.abs(skewMs);
  return [
    ...(isThere && off > SKEWED
      ? [
          `The clock of ${name} is ${duration(off)} ${skewMs > 0 ? 'ahead of' : 'behind'} the database's${off > TOO_FAR ? ', so it does not conduct' : ''}.`,
        ]
      : []),
    ...(lacks.length > 0 ? [`${name} lacks ${lacks.join(', ')}: it takes no run of these modules.`] : []),
    ...(isThere && file === 'differs'
      ? [
          `The job file of ${name} is not the one that is in force: tsched publish makes one file everybody's.`,
        ]
      : []),
  ];
}

const TONES = { up: 'good', draining: 'warn', stopped: 'quiet', silent: 'bad' } as const;

function Row({ node, look }: { node: Node; look: () => Promise<void> }) {
  const { name, state, labels, busy, slots, skewMs, file, heardAgoMs, host, version } = node;
  const isThere = state === 'up' || state === 'draining';
  return (
    <tr>
      <td class="what">
        <Mark tone={TONES[state]} /> <b>{name}</b> <span class="state">{state}</span>{' '}
        {node.conducts ? <span class="state paused">conducts</span> : undefined}
        <div class="faint">
          {host}, {version}
          {node.schedules ? '' : ', only works'}
        </div>
      </td>
      <td data-name="Labels">{labels.join(', ')}</td>
      <td data-name="Busy">
        <progress aria-label={`${name}: attempts of its slots`} max={Math.max(slots, 1)} value={busy} />{' '}
        {busy} of {slots}
      </td>
      <td data-name="Clock">{isThere ? clockWords(skewMs) : '–'}</td>
      <td data-name="File">{file}</td>
      <td data-name="Heard">{coarse(heardAgoMs)} ago</td>
      <td class="act">
        <Button node={node} look={look} />
      </td>
    </tr>
  );
}

function clockWords(skewMs: number): string {
  const off = Math.abs(skewMs);
  return off <= SKEWED ? 'good' : `${skewMs > 0 ? '+' : '−'}${duration(off)}`;
}

/** For those alone who may. */
function Button({ node: { name, state }, look }: { node: Node; look: () => Promise<void> }) {
  if (session.value?.scope !== 'admin' || state === 'stopped') return undefined;
  const drains = state === 'draining';
  const act = (): Promise<void> =>
    attempt(drains ? 'Resume' : 'Drain', async () => {
      await ask(`nodes/${segment(name)}/${drains ? 'resume' : 'drain'}`, { method: 'POST' });
      await look();
      return {
        text: drains ? `${name} takes again.` : `${name} finishes what it has and takes nothing new.`,
      };
    });
  return (
    <button
      type="button"
      class="small"
      aria-label={`${drains ? 'Resume' : 'Drain'} ${name}`}
      onClick={() => void act()}
    >
      {drains ? 'Resume' : 'Drain'}
    </button>
  );
}

function Queued({ queued }: { queued: Cluster['queued'] }) {
  return (
    <Panel title="Waits for a node">
      {queued.length === 0 ? <p class="faint">Nothing waits.</p> : undefined}
      <ul class="list times">
        {queued.map(({ labels, module, count, oldestMs }) => {
          const needs = [...labels, ...(module === null ? [] : [module])].join(', ');
          return (
            <li key={needs}>
              <span>
                <b>{count}</b> {needs === '' ? 'for any node' : `for ${needs}`}
              </span>
              <span class="faint">{coarse(oldestMs)}</span>
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}

/** What runs where. */
function Where({ nodes }: { nodes: readonly Node[] }) {
  const some = nodes.filter(({ name }) => byNode.value.has(name));
  return (
    <Panel title="Runs now">
      {some.length === 0 ? <p class="faint">Nothing runs.</p> : undefined}
      <ul class="list">
        {some.map(({ name }) => (
          <li key={name}>
            <b>{name}</b>
            <Runs runs={byNode.value.get(name) ?? []} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Runs({ runs }: { runs: readonly Run[] }) {
  const more = runs.length - MOST_RUNS;
  return (
    <span>
      {runs.slice(0, MOST_RUNS).map((run) => (
        <span key={run.id}>
          <JobLink id={run.jobId} /> <RunLink run={run}>{coarse(lengthOf(run, now.value) ?? 0)}</RunLink>{' '}
        </span>
      ))}
      {more > 0 ? `and ${more} more` : ''}
    </span>
  );
}
