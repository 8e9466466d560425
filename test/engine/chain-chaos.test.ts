/** Jobs that follow and need one another at random, under daemons that die, stop and reload at random. */
import { describe, expect, it } from 'vitest';
import type { AfterTrigger } from '../../src/chain.ts';
import type { JobDefinition, JobId, Outcome, RunRecord, SkipRecord } from '../../src/model.ts';
import { afterOf, follow, type Standing } from '../../src/schedule/follow.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { SEED } from '../support/cron-judge.ts';
import { Random } from '../support/cron-oracle.ts';
import { rig } from '../support/engine.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FAILED, job, SUCCEEDED } from '../support/jobs.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.parse('2026-01-01T00:30:00Z');
const SCENARIOS = 60;
const LIVES = 6;

class DurableStore extends MemoryStore {
  override readonly durable = true;
}

/** Two to three clocks, and followers of any jobs before them. */
function anyJobs(random: Random): JobDefinition[] {
  const clocks = ['0 * * * *', '0 */2 * * *', '30 * * * *'].slice(0, random.int(2, 3));
  const jobs = clocks.map((cron, index) =>
    job(`clock${index}`, {
      cron,
      policy: { overlap: random.pick(['skip', 'queue', 'allow'] as const), maxInstances: 3 },
      schedule: random.int(0, 2) === 0 ? { jitter: 20 * MINUTE } : {},
    }),
  );
  for (let n = 0; n < 6; n += 1) {
    const others = jobs.map(({ id }) => id).filter(() => random.int(0, 2) === 0);
    const upstream = others.length === 0 ? [random.pick(jobs).id] : others;
    if (random.int(0, 4) === 0) {
      const needs = {
        jobs: upstream,
        timeout: 40 * MINUTE,
        failed: random.pick(['skip', 'fail', 'run'] as const),
      };
      jobs.push(job(`needy${n}`, { cron: '5 * * * *', needs }));
      continue;
    }
    const after = {
      jobs: upstream,
      on: random.pick(['success', 'failure', 'finish'] as const),
      when: random.pick(['all', 'any'] as const),
    };
    const overlap = random.pick(['skip', 'queue', 'replace', 'allow'] as const);
    jobs.push(job(`follows${n}`, { after, policy: { overlap, maxInstances: 2 } }));
  }
  // The order of the file must not matter.
  return jobs
    .map((each) => [random.int(0, 999), each] as const)
    .toSorted((a, b) => a[0] - b[0])
    .map(([, each]) => each);
}

/** Has daemons live one after another; gives all that became of slots, and which runs were begun. */
async function live(random: Random, jobs: readonly JobDefinition[]) {
  const store = new DurableStore(1_000_000);
  const begun: string[] = [];
  let now = START;
  const ends = (): Outcome => random.pick([SUCCEEDED, SUCCEEDED, FAILED]);
  for (let life = 0; life < LIVES; life += 1) {
    const isLast = life === LIVES - 1;
    const clock = new FakeClock(now);
    const made = rig({
      store,
      clock,
      ids: `life${life}`,
      script: () => ({ lasts: random.pick([0, 1, MINUTE, 10 * MINUTE, 50 * MINUTE]), outcome: ends() }),
    });
    made.executor.found = () => ({ kind: 'ended', outcome: ends() });
    const { engine } = made;
    await engine.start(jobs);
    await clock.advance(random.int(0, 4) * HOUR + random.int(0, 59) * MINUTE);
    if (random.int(0, 2) === 0) {
      await Promise.all([engine.apply(structuredClone(jobs).toReversed()), clock.advance(0)]);
      await clock.advance(random.int(0, 90) * MINUTE);
    }
    if (isLast || random.int(0, 1) === 0)
      await Promise.all([engine.stop({ drain: 2 * HOUR }), clock.advance(3 * HOUR)]);
    begun.push(...made.executor.starts.map(({ spec }) => `${spec.runId} ${spec.attempt}`));
    now = clock.now() + random.pick([1000, MINUTE, 30 * MINUTE, 3 * HOUR]);
  }
  // A last one, in which clocks rest, so that what is under way comes to its end.
  const rest = jobs.map((each) => ({ ...each, enabled: afterOf(each.schedule) !== undefined }));
  const last = rig({
    store,
    clock: new FakeClock(now),
    ids: 'last',
    script: () => ({ lasts: 1, outcome: SUCCEEDED }),
  });
  last.executor.found = () => ({ kind: 'ended', outcome: ends() });
  await last.engine.start(rest);
  await last.clock.advance(6 * HOUR);
  begun.push(...last.executor.starts.map(({ spec }) => `${spec.runId} ${spec.attempt}`));
  const rows = await store.history({});
  const runs = rows.flatMap((row) => ('run' in row ? [row.run] : []));
  const skips = rows.flatMap((row) => ('skip' in row ? [row.skip] : []));
  return { runs, skips, begun, active: last.engine.active, joins: await store.joins() };
}

interface Past {
  readonly runs: readonly RunRecord[];
  readonly skips: readonly SkipRecord[];
}

/** What is wrong with the slots of a follower, by how that ended which it follows. */
function wrongs(id: JobId, after: AfterTrigger, { runs, skips }: Past): string[] {
  const standings = new Map<number, Map<JobId, Standing>>();
  for (const { jobId, scheduledAt, outcome } of runs) {
    if (!after.jobs.includes(jobId)) continue;
    const known = standings.get(scheduledAt) ?? new Map<JobId, Standing>();
    standings.set(scheduledAt, known.set(jobId, outcome?.kind ?? 'pending'));
  }
  const wrong: string[] = [];
  for (const [slot, known] of standings) {
    const { kind } = follow(after, (jobId) => known.get(jobId) ?? 'absent');
    const mine = runs.filter(({ jobId, scheduledAt }) => jobId === id && scheduledAt === slot);
    const reasons = skips
      .filter(({ jobId, scheduledAt }) => jobId === id && scheduledAt === slot)
      .map(({ reason }) => reason);
    const isFair = mine.length + reasons.length === 1 && (kind === 'skip') === (reasons[0] === 'dependency');
    const found = [...mine.map((run) => `run ${run.id}`), ...reasons].join(', ');
    if (!isFair)
      wrong.push(
        `${id} ${new Date(slot).toISOString()}: ${kind} by ${JSON.stringify([...known])}, but ${found}`,
      );
  }
  return wrong;
}

describe('chains under daemons that come and go', () => {
  it('have each slot once, as what they follow says', async () => {
    let slots = 0;
    for (let n = 0; n < SCENARIOS; n += 1) {
      const random = new Random(SEED + n);
      const jobs = anyJobs(random);
      const past = await live(random, jobs);
      const told = `TSCHED_TEST_SEED=${SEED + n} ${JSON.stringify(jobs.map(({ id, schedule: { triggers }, needs }) => [id, triggers[0], needs?.jobs]))}`;
      expect(past.active, told).toBe(0);
      expect(past.begun.length, told).toBe(new Set(past.begun).size);
      expect(
        past.joins.filter(({ state }) => state === 'open' || state === 'due'),
        told,
      ).toEqual([]);
      const keys = past.runs.map(({ jobId, scheduledAt }) => `${jobId} ${scheduledAt}`);
      expect(keys.length, told).toBe(new Set(keys).size);
      const wrong = jobs.flatMap(({ id, schedule }) => {
        const after = afterOf(schedule);
        return after === undefined ? [] : wrongs(id, after, past);
      });
      expect(wrong, told).toEqual([]);
      slots += past.runs.length;
    }
    expect(slots).toBeGreaterThan(50 * SCENARIOS);
  });
});
