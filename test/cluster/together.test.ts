/** Nodes that die, freeze and come back, and a database that does: every slot runs once, wherever, and history agrees. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Audit, executionsIn } from '../support/audit.ts';
import { shellTask } from '../support/chaos.ts';
import { definitionsIn, slotsOf, TestCluster, untilAsync } from '../support/cluster.ts';
import { SEED } from '../support/cron-judge.ts';
import { Random } from '../support/cron-oracle.ts';
import { directory, type Daemon } from '../support/daemon.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const JOBS = 300;
/** All jobs are due together, every so many seconds. */
const PERIOD = 8;
const SLOTS = 9;

describe('three nodes', () => {
  it(
    `run ${JOBS} jobs due together, each slot once, while nodes are killed and frozen and the database is restarted`,
    { timeout: 300_000 },
    async () => {
      console.log(`TSCHED_TEST_SEED=${SEED}`);
      const random = new Random(SEED);
      const where = directory();
      const account = join(where, 'account');
      appendFileSync(account, '');
      // Longer than three nodes take until one conducts, on a machine with much else to do.
      const begin = Math.ceil(Date.now() / 1000) * 1000 + 20_000;
      const end = begin + (SLOTS - 1) * PERIOD * 1000;
      const jobs = jobFile(account, begin, end);
      const cluster = await TestCluster.in(server);
      const homes = ['a', 'b', 'c'].map((name) => ({ name, directory: directory() }));
      const start = (home: (typeof homes)[number]): Daemon => cluster.node({ ...home, jobs, slots: 120 });
      const nodes = homes.map(start);
      await cluster.conductor(nodes);
      const faults: string[] = [];
      let restarted = false;
      while (Date.now() < end) {
        const number = random.int(0, 2);
        const [home, node] = [homes[number], nodes[number]];
        if (home === undefined || node === undefined) throw new Error('no such node');
        if (!restarted && Date.now() > (begin + end) / 2) {
          restarted = true;
          faults.push('database');
          await server.restart();
        } else if (random.int(0, 1) === 0) {
          faults.push(`kill ${home.name}`);
          node.signal('SIGKILL');
          await node.exited;
          await pause(random.int(0, 3000));
          nodes[number] = start(home);
        } else {
          // Just when it has taken some, and perhaps for longer than the others wait for it.
          await pause(PERIOD * 1000 - ((Date.now() - begin) % (PERIOD * 1000)) + random.int(100, 1500));
          const length = random.int(0, 2) === 0 ? random.int(2000, 8000) : random.int(16_000, 22_000);
          faults.push(`freeze ${home.name} for ${length} ms`);
          node.signal('SIGSTOP');
          await pause(length);
          node.signal('SIGCONT');
        }
        await pause(random.int(500, 4000));
      }
      const definitions = await definitionsIn(nodes[0]?.file ?? '');
      const due = definitions.reduce((sum, each) => sum + slotsOf(each, { from: begin, to: end }), 0);
      expect(due).toBeGreaterThanOrEqual(JOBS * (SLOTS - 1));
      const told = (): string => `; after ${faults.join(', ')}, TSCHED_TEST_SEED=${SEED}`;
      let rows = await cluster.rows();
      await untilAsync(`every slot to be over${told()}`, async () => {
        rows = await cluster.rows();
        const decided = rows.runs.length + rows.skips.reduce((sum, { count = 1 }) => sum + count, 0);
        const open = rows.runs.filter(({ state }) => state !== 'finished');
        if (decided >= due && open.length === 0) return undefined;
        const words = nodes.flatMap(({ lines }) => lines.slice(-4).map(({ time, msg }) => `${time} ${msg}`));
        return `${decided} of ${due} slots decided, ${JSON.stringify(open[0])} not over\n${words.join('\n')}`;
      });
      const audit = new Audit(rows.runs, rows.skips, executionsIn(account), { mayLose: true });
      for (const definition of definitions) audit.slots(definition, { from: begin - 1, to: end });
      audit.runs(new Map(definitions.map((each) => [each.id, each])));
      expect(audit.findings, told()).toEqual([]);
      expect(rows.skips, told()).toEqual([]);
      // Nothing ran in vain: what ran twice was lost before, and is recorded so.
      const lost = rows.runs
        .flatMap(({ attempts }) => attempts)
        .filter(({ outcome }) => outcome?.kind === 'lost');
      console.log(`${rows.runs.length} runs, ${lost.length} attempts lost; ${faults.join(', ')}`);
    },
  );
});

function jobFile(account: string, begin: number, end: number): string {
  const job = {
    every: `${PERIOD}s`,
    start: new Date(begin).toISOString(),
    end: new Date(end).toISOString(),
    misfire: { run: 'all', max: 100 },
    overlap: 'allow',
    max_instances: 100,
    retry: { limit: 5, delay: '100ms', backoff: 'constant', on: ['lost'] },
  };
  // Every tenth is under way when something happens to its node.
  const task = (number: number): string => shellTask(account, number % 10 === 0 ? 'sleep 5' : ':');
  const jobs = Array.from({ length: JOBS }, (_, number) => [`job-${number}`, { ...job, run: task(number) }]);
  return JSON.stringify({ jobs: Object.fromEntries(jobs) });
}
