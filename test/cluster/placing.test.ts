/** Which node runs what, how many at once, and what becomes of it when a node is drained or stopped: real nodes, by what jobs wrote down. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunRecord } from '../../src/model.ts';
import { TestCluster } from '../support/cluster.ts';
import { directory, type Daemon } from '../support/daemon.ts';
import { canMount } from '../support/namespace.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { mostAtOnce, stintsIn, stintTask } from '../support/stints.ts';
import { eventually, tell, untilNodes } from '../support/telling.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const text = (jobs: object, more: object = {}): string => JSON.stringify({ timezone: 'UTC', ...more, jobs });

/** Waits until so many runs of a job have succeeded, and gives all of its runs. */
function done(cluster: TestCluster, job: string, count = 1): Promise<RunRecord[]> {
  return eventually(`${count} runs of ${job}`, async () => {
    const runs = (await cluster.rows()).runs.filter(({ jobId }) => jobId === job);
    const good = runs.filter(({ outcome }) => outcome?.kind === 'succeeded');
    if (good.length < count) throw new Error(JSON.stringify(runs.slice(-5)));
    return runs;
  });
}

const nodesOf = (runs: readonly RunRecord[]): string[] => [
  ...new Set(runs.flatMap(({ attempts }) => attempts.flatMap(({ node }) => node ?? []))),
];

describe('an attempt', () => {
  it('is taken by a node that has its labels; workers run, and never conduct', async () => {
    const cluster = await TestCluster.in(server);
    const every = { every: '1s', overlap: 'allow', max_instances: 100, run: 'true' };
    const jobs = text({
      any: every,
      gpu: { ...every, runs_on: 'gpu' },
      both: { ...every, misfire: { run: 'all', max: 5 }, runs_on: ['gpu', 'eu'] },
    });
    const home = directory();
    const a = await cluster.node({ name: 'a', directory: home, jobs }).ready();
    const w = cluster.worker({ name: 'w', labels: ['gpu'] });
    expect(nodesOf(await done(cluster, 'gpu', 3))).toEqual(['w']);
    // Nobody has both.
    await eventually('what waits to be told', async () => {
      expect((await tell(a, ['nodes'])).out).toMatch(/\d+ attempts? waits? for a node with eu, gpu, /);
    });
    const we = cluster.worker({ name: 'we', labels: ['eu', 'gpu', 'x'] });
    expect(nodesOf(await done(cluster, 'both', 3))).toEqual(['we']);
    const shown = await untilNodes('the worker to be there', w, ({ we }) => we?.state === 'up');
    expect(shown.nodes.map(({ name, schedules, labels }) => ({ name, schedules, labels }))).toEqual([
      { name: 'a', schedules: true, labels: [] },
      { name: 'w', schedules: false, labels: ['gpu'] },
      { name: 'we', schedules: false, labels: ['eu', 'gpu', 'x'] },
    ]);

    a.signal('SIGKILL');
    await a.exited;
    await untilNodes('nobody to conduct', w, ({ a }, { conductor }) => {
      return a?.state === 'silent' && !a.conducts && conductor === null;
    });
    for (const worker of [w, we]) expect(worker.events('engine_started')).toEqual([]);
    const known = (await cluster.rows()).runs.length;
    await cluster.node({ name: 'a', directory: home }).ready();
    await eventually('it to go on', async () => {
      expect((await cluster.rows()).runs.length).toBeGreaterThan(known + 3);
    });
  });

  it.skipIf(!canMount)(
    'of a module is taken where the file is; a node that lacks it says so once',
    async () => {
      const cluster = await TestCluster.in(server);
      const [home, empty] = [directory(), directory()];
      const modules = join(home, 'modules');
      mkdirSync(modules);
      const module = join(modules, 'report.mjs');
      writeFileSync(module, 'export default () => undefined;\n');
      const jobs = text({
        report: { every: '1s', overlap: 'allow', module },
        shell: { every: '1s', overlap: 'allow', run: 'true' },
      });
      const hide = `mount --bind '${empty}' '${modules}' && exec "$0" "$@"`;
      const w = cluster.worker({ name: 'w' });
      await w.waitFor('it to be a node', ({ event }) => event === 'node_started');
      // It conducts what it cannot run.
      const a = cluster.node({ name: 'a', jobs, wrapper: ['unshare', '-m', 'sh', '-c', hide] });
      await a.ready();
      expect(nodesOf(await done(cluster, 'report', 4))).toEqual(['w']);
      await done(cluster, 'shell', 4);
      const lacking = a.lines.filter(({ msg }) => msg.includes(`there is no module ${module} on this node`));
      expect(lacking).toHaveLength(1);
      await untilNodes('that to be seen', w, ({ a, w }) => a?.lacks[0] === module && w?.lacks.length === 0);
      expect((await tell(w, ['nodes'])).out).toContain(`a lacks ${module}: it takes no run of these modules`);
    },
  );

  it('waits for a slot of its node, the most important first; a drained node takes nothing until it is resumed', async () => {
    const cluster = await TestCluster.in(server);
    const home = directory();
    const [ledger, go, on] = ['ledger', 'go', 'on'].map((name) => join(home, name)) as [
      string,
      string,
      string,
    ];
    const until = (file: string): string =>
      stintTask(ledger, `while [ ! -e '${file}' ]; do sleep 0.05; done`);
    const job = { cron: '0 0 1 1 *', overlap: 'allow', max_instances: 100 };
    const jobs = text({ low: { ...job, run: until(go) }, high: { ...job, run: until(on), priority: 5 } });
    const a = await cluster.node({ name: 'a', jobs }).ready();
    const w = cluster.worker({ name: 'w', slots: 2 });
    await untilNodes('the worker to be there', a, ({ w }) => w?.state === 'up');
    expect(await tell(w, ['nodes', 'drain', 'a'])).toMatchObject({ code: 0, out: 'a takes nothing new\n' });
    await a.waitFor('it to be drained', ({ msg }) => msg.includes('this node is drained'));
    for (const id of ['low', 'low', 'low', 'high', 'high'])
      expect(await tell(a, ['trigger', id])).toMatchObject({ code: 0 });
    await untilNodes('the worker to be full', a, ({ a, w }, { queued }) => {
      return a?.state === 'draining' && a.busy === 0 && w?.busy === 2 && queued[0]?.count === 3;
    });
    // A node is busy a moment before what it runs has said a word.
    await w.until('both to have begun', () => stintsIn(ledger).length === 2);
    expect(stintsIn(ledger).map(({ job }) => job)).toEqual(['low', 'low']);
    writeFileSync(go, '');
    await w.until('two more', () => stintsIn(ledger).length === 4);
    const order = stintsIn(ledger).map(({ job }) => job);
    expect(order.slice(2)).toEqual(['high', 'high']);
    writeFileSync(on, '');
    await w.until(
      'all to be over',
      () => stintsIn(ledger).filter(({ end }) => end !== undefined).length === 5,
    );
    expect(mostAtOnce(stintsIn(ledger))).toBe(2);
    const before = [...(await done(cluster, 'low', 3)), ...(await done(cluster, 'high', 2))];
    expect(nodesOf(before)).toEqual(['w']);

    expect(await tell(w, ['nodes', 'resume', 'a'])).toMatchObject({ code: 0, out: 'a takes again\n' });
    await tell(w, ['nodes', 'drain', 'w']);
    await w.waitFor('it to be drained', ({ msg }) => msg.includes('this node is drained'));
    await tell(a, ['trigger', 'high']);
    const after = await done(cluster, 'high', 3);
    expect(nodesOf(after.filter(({ id }) => !before.some((each) => each.id === id)))).toEqual(['a']);
  });

  it('counts in its pool, and for the overlap of its job, wherever it runs', async () => {
    const cluster = await TestCluster.in(server);
    const ledger = join(directory(), 'ledger');
    const job = (seconds: number) => ({ every: '1s', run: stintTask(ledger, `sleep ${seconds}`) });
    const jobs = text(
      {
        left: { ...job(0.4), pool: 'shared' },
        right: { ...job(0.4), pool: 'shared' },
        skips: { ...job(2.2), overlap: 'skip' },
        queues: { ...job(1.5), overlap: 'queue' },
      },
      { pools: { shared: 1 } },
    );
    const a = await cluster.node({ name: 'a', slots: 2, jobs }).ready();
    for (const name of ['v', 'w']) cluster.worker({ name, slots: 2 });
    await eventually('all nodes to have run each of them', async () => {
      const { runs } = await cluster.rows();
      expect(nodesOf(runs).toSorted()).toEqual(['a', 'v', 'w']);
      for (const id of ['left', 'right', 'skips', 'queues'])
        expect(
          runs.filter(({ jobId, state }) => jobId === id && state === 'finished').length,
        ).toBeGreaterThan(3);
    });
    const all = stintsIn(ledger);
    const of = (...ids: readonly string[]) => all.filter(({ job }) => ids.includes(job));
    expect(mostAtOnce(of('left', 'right'))).toBe(1);
    expect(mostAtOnce(of('skips'))).toBe(1);
    expect(mostAtOnce(of('queues'))).toBe(1);
    const { runs, skips } = await cluster.rows();
    expect(new Set(skips.map(({ jobId, reason }) => `${jobId} ${reason}`))).toContain('skips overlap');
    expect(runs.filter(({ outcome }) => outcome !== undefined && outcome.kind !== 'succeeded')).toEqual([]);
    expect(nodesOf(runs.filter(({ jobId }) => jobId === 'left')).length).toBeGreaterThan(1);
    expect(a.events('engine_started')).toHaveLength(1);
  });
});

describe('a node that conducts and is stopped', () => {
  /** A conductor `a` and another node `b`, each with a run that waits for a file, and a job that runs on. */
  async function two(more: object = {}) {
    const cluster = await TestCluster.in(server);
    const home = directory();
    const [ledger, go] = [join(home, 'ledger'), join(home, 'go')];
    const waits = {
      cron: '0 0 1 1 *',
      run: stintTask(ledger, `while [ ! -e '${go}' ]; do sleep 0.05; done`),
      ...more,
    };
    // However long it takes on a busy machine until another conducts, each second is run.
    const misfire = { run: 'all', max: 100 };
    const tick = { every: '1s', misfire, overlap: 'allow', max_instances: 100, run: 'true' };
    const jobs = text({ tick, here: { ...waits, runs_on: 'a' }, there: { ...waits, runs_on: 'b' } });
    const node = (name: string, where = directory()): Daemon =>
      cluster.node({ name, labels: [name], jobs, directory: where });
    const a = await node('a').ready();
    const b = node('b');
    await b.waitFor('it to be a node', ({ event }) => event === 'node_started');
    for (const id of ['here', 'there']) await tell(b, ['trigger', id]);
    await b.until('both to run', () => stintsIn(ledger).length === 2);
    return { cluster, a, b, node, open: () => writeFileSync(go, '') };
  }

  it.each(['stop', 'drain'])(
    'hands over at once (tsched %s): what it runs ends, and all else goes on',
    async (command) => {
      const { cluster, a, b, open } = await two();
      const stopped = tell(a, [command]);
      await b.ready();
      // It is still there.
      await untilNodes(
        'it to be draining',
        b,
        ({ a, b }) => a?.state === 'draining' && a.busy === 1 && b?.conducts === true,
      );
      const known = (await cluster.rows()).runs.length;
      await eventually('the others to go on', async () => {
        expect((await cluster.rows()).runs.length).toBeGreaterThan(known + 2);
      });
      open();
      expect((await stopped).code).toBe(0);
      expect(await a.end()).toBe(0);
      const runs = [...(await done(cluster, 'here')), ...(await done(cluster, 'there'))];
      expect(runs.map(({ attempts }) => attempts.map(({ node, outcome }) => [node, outcome?.kind]))).toEqual([
        [['a', 'succeeded']],
        [['b', 'succeeded']],
      ]);
      await untilNodes('it to have left', b, ({ a }) => a?.state === 'stopped' && a.busy === 0);
      // Not a slot was lost on the way.
      const ticks = (await cluster.rows()).runs.filter(({ jobId }) => jobId === 'tick');
      const seconds = ticks.map(({ scheduledAt }) => scheduledAt / 1000).toSorted((x, y) => x - y);
      const [begin = 0] = seconds;
      expect(seconds).toEqual(seconds.map((_, index) => begin + index));
    },
  );

  it('leaves what is to be left, and adopts it when it is back', async () => {
    const { cluster, a, b, node, open } = await two({ on_shutdown: 'leave' });
    expect((await tell(a, ['stop'])).code).toBe(0);
    expect(await a.end()).toBe(0);
    await b.ready();
    const again = node('a', a.directory);
    await untilNodes('it to be back, with its run', b, ({ a }) => a?.state === 'up' && a.busy === 1);
    open();
    const runs = [...(await done(cluster, 'here')), ...(await done(cluster, 'there'))];
    expect(runs.map(({ attempts }) => attempts.map(({ node, outcome }) => [node, outcome?.kind]))).toEqual([
      [['a', 'succeeded']],
      [['b', 'succeeded']],
    ]);
    expect(again.events('engine_started')).toEqual([]);
  });
});
