/** A node that the network cuts off for a while, and that goes on meanwhile: no slot runs twice, none is lost, and what it did by itself does not count. */
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunRecord, SkipRecord } from '../../src/model.ts';
import { daemonFileIn, readDaemonFile } from '../../src/store/daemon-file.ts';
import { Audit, executionsIn } from '../support/audit.ts';
import { shellTask } from '../support/chaos.ts';
import { definitionsIn, slotsOf, TestCluster, untilAsync } from '../support/cluster.ts';
import { directory, type Daemon, type Later, type Line } from '../support/daemon.ts';
import { Network, noNetwork, type Cut, type Host } from '../support/network.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';

/** How long a node is cut off. */
const CUT = 30_000;
const PATIENCE = 150_000;

let network: Network | undefined;
let server: Postgres | undefined;
beforeAll(async () => {
  if (noNetwork !== undefined) return;
  network = new Network();
  server = await startPostgres({ place: network.centre });
});
afterAll(async () => {
  await server?.stop();
  network?.close();
});

const CASES: readonly { who: string; conducts: boolean; how: Cut }[] = [
  { who: 'a node that works is cut off, and nobody tells it so', conducts: false, how: 'silent' },
  { who: 'the node that conducts is cut off, and nobody tells it so', conducts: true, how: 'silent' },
  { who: 'the node that conducts loses its link', conducts: true, how: 'unplugged' },
];

describe.skipIf(noNetwork !== undefined)(`three hosts${noNetwork ? ` (${noNetwork})` : ''}`, () => {
  it.concurrent.for(CASES)(
    'run each slot once, while $who for 30 s',
    { timeout: 400_000 },
    async ({ who, conducts, how }, { onTestFinished: later }) => {
      const scene = await Scene.start(later);
      const victim = await scene.victim(conducts);
      const { node, host } = victim;
      host.cut(how);
      const cutAt = Date.now();
      const alone = await scene.heldBy(victim);
      if (conducts) await scene.successor(victim, cutAt);
      await scene.replaced(alone);
      // Those that end by themselves do so now, where nobody hears of it.
      scene.release('ends');
      const ends = alone.filter(({ job }) => job === 'ends');
      await node.until('them to end', () => ends.every((each) => !runsAt(node, each)));
      await pause(Math.max(0, cutAt + CUT - Date.now()));
      host.heal();
      const healedAt = Date.now();
      for (const { job, run } of alone)
        await node.waitFor(
          `${job} ${run} to be refused`,
          (line) => line.run === run && (job === 'stays' ? ENDED : REFUSED).test(line.msg),
        );
      await node.until('what it went on with to end', () => alone.every((each) => !runsAt(node, each)));
      const again = await scene.takesPart(victim, healedAt);
      scene.release('stays');
      const { runs, findings } = await scene.account(again);
      expect(findings).toEqual([]);
      // Only the node that was cut off lost anything, and each of that was tried again elsewhere.
      const lost = runs.flatMap(({ attempts }) => attempts.filter(({ outcome }) => outcome?.kind === 'lost'));
      expect(new Set(lost.map((attempt) => attempt.node))).toEqual(new Set([victim.name]));
      for (const { run } of alone) {
        const record = runs.find(({ id }) => id === run);
        expect(record?.outcome?.kind).toBe('succeeded');
        expect(record?.attempts.map(({ outcome }) => outcome?.kind)).toEqual(['lost', 'succeeded']);
        expect(record?.attempts.at(-1)?.node).not.toBe(victim.name);
      }
      expect(node.lines.some(({ msg }) => STOPPED.test(msg))).toBe(conducts);
      const troubles = scene.lines().filter(({ msg }) => /mistake of tsched|pg-boss/.test(msg));
      expect(troubles).toEqual([]);
      // Nothing is wrong with it any more.
      expect(readDaemonFile(daemonFileIn(node.stateDirectory))?.store).toEqual({ kind: 'well' });
      console.log(`${who}: ${scene.measured(runs, { cutAt, victim, conducts })}`);
      expect(await scene.leaveAlone(victim)).toEqual([0, 0]);
    },
  );
});

const ENDED = /given up while this node was not heard of; what runs of it here is ended/;
const REFUSED = /given up while this node was not heard of; how it ended here does not count/;
const STOPPED = /this node stops conducting/;
const CONDUCTS = /this node conducts/;

interface Station {
  readonly name: string;
  readonly host: Host;
  readonly node: Daemon;
}

/** An attempt that a node runs. */
interface Held {
  readonly job: string;
  readonly run: string;
  readonly number: number;
}

class Scene {
  readonly #cluster: TestCluster;
  readonly #where: string;
  readonly #stations: readonly Station[];
  readonly #conductor: Daemon;
  /** Slots from then on are counted: by then jobs were armed. */
  readonly #from = Date.now();
  #successor: number | undefined;

  private constructor(
    cluster: TestCluster,
    { where, stations, conductor }: { where: string; stations: readonly Station[]; conductor: Daemon },
  ) {
    this.#cluster = cluster;
    this.#where = where;
    this.#stations = stations;
    this.#conductor = conductor;
  }

  /** Three nodes, each on a host of its own, one of which conducts. */
  static async start(later: Later): Promise<Scene> {
    if (network === undefined || server === undefined) throw new Error('no network');
    const hosts = network;
    const where = directory(later);
    const jobs = jobFile(where);
    appendFileSync(join(where, 'account'), '');
    const store = await server.createDatabase();
    // Nobody here can reach the network of the nodes.
    const cluster = new TestCluster(server, server.socketUrl(new URL(store).pathname.slice(1)), later);
    const env = { TSCHED_STORE: store };
    const stations = ['a', 'b', 'c'].map((name): Station => {
      const host = hosts.host();
      const node = cluster.node({ name, jobs, env, wrapper: host.enter, patience: PATIENCE });
      return { name, host, node };
    });
    const conductor = await cluster.conductor(stations.map(({ node }) => node));
    return new Scene(cluster, { where, stations, conductor });
  }

  /** The node that conducts, or one that does not, as soon as it runs what will end by itself and what will not. */
  async victim(conducts: boolean): Promise<Station> {
    const candidates = this.#stations.filter(({ node }) => (node === this.#conductor) === conducts);
    let found: Station | undefined;
    await untilAsync('a node to run jobs of both kinds', async () => {
      for (const each of candidates) {
        const jobs = new Set((await this.heldBy(each)).map(({ job }) => job));
        if (jobs.size === 2) found = each;
      }
      return found === undefined ? 'neither does' : undefined;
    });
    if (found === undefined) throw new Error('no such node');
    return found;
  }

  /** What it has begun of the slots that are counted, and will not end before it is told to. */
  heldBy({ name }: Station): Promise<Held[]> {
    return this.#cluster.ask<Held>(
      `SELECT h.job, h.run, h.number FROM tsched.held h JOIN tsched.nodes n ON n.id = h.node JOIN tsched.runs u ON u.id = h.run
       WHERE n.name = '${name}' AND u.scheduled_at >= ${this.#from} AND h.job IN ('ends', 'stays')
         AND EXISTS (SELECT 1 FROM tsched.reports r WHERE r.attempt = h.attempt AND r.kind = 'started')`,
    );
  }

  /** Another node conducts. */
  async successor(victim: Station, cutAt: number): Promise<void> {
    const others = this.#stations.filter((each) => each !== victim);
    const took = await victim.node.until('another node to conduct', () =>
      others
        .flatMap(({ node }) => node.lines)
        .find(({ msg, time }) => CONDUCTS.test(msg) && Date.parse(time) > cutAt),
    );
    this.#successor = Date.parse(took.time);
  }

  /** Other nodes have begun anew what was given up. */
  replaced(alone: readonly Held[]): Promise<void> {
    return untilAsync(
      'other nodes to begin what the one that is cut off had',
      async () => {
        const begun = new Set(this.#executions().map(({ run, attempt }) => `${run} ${attempt}`));
        const wanting = alone.filter(({ run, number }) => !begun.has(`${run} ${number + 1}`));
        return wanting.length === 0 ? undefined : JSON.stringify(wanting);
      },
      PATIENCE,
    );
  }

  /** Jobs of this name end from now on. */
  release(job: string): void {
    appendFileSync(join(this.#where, job), '');
  }

  /** The node runs what fell due after that moment. Gives when. */
  async takesPart({ name }: Station, since: number): Promise<number> {
    await untilAsync(
      `node ${name} to take part again`,
      async () => {
        const [found] = await this.#cluster.ask(
          `SELECT 1 FROM tsched.reports r JOIN tsched.nodes n ON n.id = r.node
           WHERE n.name = '${name}' AND n.state = 'up' AND r.kind = 'ended' AND r.at > to_timestamp(${since / 1000}) LIMIT 1`,
        );
        return found === undefined ? 'it ended nothing that counts' : undefined;
      },
      PATIENCE,
    );
    return Date.now();
  }

  /** The runs of all slots until then, when they are over, and where the jobs' own account and history are not as promised: each slot once. */
  async account(to: number): Promise<{ runs: readonly RunRecord[]; findings: readonly string[] }> {
    const definitions = await definitionsIn(this.#stations[0]?.node.file ?? '');
    const from = this.#from;
    const due = definitions.reduce((sum, each) => sum + slotsOf(each, { from, to }), 0);
    let runs: readonly RunRecord[] = [];
    let skips: readonly SkipRecord[] = [];
    await untilAsync(
      'every slot to be over',
      async () => {
        const rows = await this.#cluster.rows();
        runs = rows.runs.filter(({ scheduledAt }) => from <= scheduledAt && scheduledAt <= to);
        skips = rows.skips;
        const open = runs.filter(({ state }) => state !== 'finished');
        return runs.length + skips.length >= due && open.length === 0
          ? undefined
          : `${runs.length} of ${due} slots decided, ${JSON.stringify(open[0])} not over\n${this.#words()}`;
      },
      PATIENCE,
    );
    const executions = this.#executions().filter(({ slot }) => from <= slot && slot <= to);
    const audit = new Audit(runs, skips, executions, { mayLose: true });
    for (const { jobId, reason } of skips) audit.say(`${jobId}: a slot was skipped (${reason})`);
    for (const each of definitions) audit.slots(each, { from: from - 1, to });
    audit.runs(new Map(definitions.map((each) => [each.id, each])));
    return { runs, findings: audit.findings };
  }

  /** The others stop, and this one conducts. Gives their exit codes. */
  async leaveAlone({ name, node }: Station): Promise<readonly (number | string)[]> {
    const others = this.#stations.filter((each) => each.name !== name);
    const before = node.lines.length;
    const codes = await Promise.all(others.map((each) => each.node.stop()));
    await node.until('it to conduct, and decide over a slot', () =>
      node.lines.slice(before).find(({ event }) => event === 'run_finished'),
    );
    return codes;
  }

  /** For people, how long it took until another node conducted, and until jobs ran again. */
  measured(
    runs: readonly RunRecord[],
    { cutAt, victim, conducts }: { cutAt: number; victim: Station; conducts: boolean },
  ): string {
    const attempts = runs.flatMap((run) => run.attempts);
    const lost = attempts.filter(({ outcome }) => outcome?.kind === 'lost');
    const began = attempts
      .filter(({ node, startedAt }) => node !== victim.name && startedAt >= (this.#successor ?? cutAt))
      .map(({ startedAt }) => startedAt - cutAt);
    const conducted = conducts ? `another conducted after ${(this.#successor ?? 0) - cutAt} ms, ` : '';
    return `${conducted}the next job began after ${Math.min(...began)} ms; ${runs.length} runs, ${lost.length} attempts lost`;
  }

  /** Of all nodes. */
  lines(): readonly Line[] {
    return this.#stations.flatMap(({ node }) => node.lines);
  }

  #executions() {
    return executionsIn(join(this.#where, 'account'));
  }

  #words(): string {
    const words = this.#stations.flatMap(({ node, name }) =>
      node.lines.slice(-5).map(({ time, msg }) => `${name} ${time} ${msg}`),
    );
    return words.join('\n');
  }
}

function jobFile(where: string): string {
  const start = new Date(Math.floor(Date.now() / 1000) * 1000).toISOString();
  const job = (every: string, middle: string): object => ({
    every,
    start,
    misfire: { run: 'all', max: 100 },
    overlap: 'allow',
    max_instances: 100,
    retry: { limit: 5, delay: '100ms', backoff: 'constant', on: ['lost'] },
    run: shellTask(join(where, 'account'), middle),
  });
  const released = (name: string): string => `until [ -e '${join(where, name)}' ]; do sleep 1; done`;
  const ticks = [0, 1, 2, 3].map((number) => [`tick-${number}`, job('2s', ':')]);
  return JSON.stringify({
    jobs: {
      ...Object.fromEntries(ticks),
      naps: job('5s', 'sleep 4'),
      // The one has ended when its node is back, the other has not.
      ends: job('3s', released('ends')),
      stays: job('3s', released('stays')),
    },
  });
}

/** Whether a process of that attempt lives, started by that node. */
function runsAt(node: Daemon, { run, number }: Held): boolean {
  return node.family().some((pid) => {
    const environment = environmentOf(pid);
    return environment.includes(`TSCHED_RUN_ID=${run}`) && environment.includes(`TSCHED_ATTEMPT=${number}`);
  });
}

function environmentOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
  } catch {
    // It has just ended.
    return [];
  }
}
