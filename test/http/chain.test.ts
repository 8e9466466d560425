/** A diamond in a real daemon: what ran, why, and what its API and the commands tell of it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tsched } from '../cli/tsched.ts';
import { directory, type Daemon, type Later } from '../support/daemon.ts';
import { Promises } from './promises.ts';
import { ask, socketOf, startAsked, type Body, type Told, type Wanted } from './support.ts';

const flag = join(directory(), 'flag');
const jobs = JSON.stringify({
  timezone: 'UTC',
  jobs: {
    a: { cron: '0 0 1 1 *', run: `echo '{"rows":3}' > "$TSCHED_RESULT"` },
    b: { after: 'a', run: `test -e ${flag}` },
    c: { after: 'a', run: `test "$TSCHED_NEEDS_A_RESULT" = '{"rows":3}' && echo 7 > "$TSCHED_RESULT"` },
    d: {
      after: ['b', 'c'],
      run: 'echo "$TSCHED_NEEDS_B_OUTCOME $TSCHED_NEEDS_C_RESULT" > "$TSCHED_RESULT"',
    },
    alarm: { after: { jobs: ['b', 'c'], on: 'failure', when: 'any' }, run: 'true' },
    mail: { cron: '0 0 1 1 *', needs: 'd', run: 'true' },
  },
});

const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
let daemon: Daemon;
let promises: Promises;
const promised = (path: string, wanted?: Wanted): Promise<Told> => promises.ask(path, wanted);

beforeAll(async () => {
  daemon = await startAsked({ jobs, args: ['--no-watch'], later });
  const place = socketOf(daemon);
  promises = new Promises(place, (await ask(place, '/openapi.json')).body);
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** What became of every slot, as `job outcome`, once there are so many rows and all is over. */
async function rows(many: number): Promise<string[]> {
  for (;;) {
    const { body } = await promised('/api/v1/runs?limit=100');
    const all = body.runs as Body[];
    if (all.length >= many && all.every(({ state }) => state === 'finished' || state === 'skipped'))
      return all.map(({ jobId, outcome, reason }) => `${jobId} ${outcome?.kind ?? reason}`).toSorted();
    await pause(20);
  }
}

describe('a diamond with a failing branch', () => {
  it('has the right runs, tells why, and goes on when the branch is repeated', async () => {
    const { body: begun } = await promised('/api/v1/jobs/a/runs', { method: 'POST', json: {} });
    const first = ['a succeeded', 'alarm succeeded', 'b failed', 'c succeeded', 'd dependency'];
    expect(await rows(5)).toEqual(first);

    const { body: skipped } = await promised('/api/v1/jobs/d/why');
    expect(skipped).toMatchObject({ slot: begun.scheduledAt, reason: 'dependency', run: null });
    expect(skipped.links.map(({ of, jobId, row }: Body) => `${of} ${jobId} ${row.outcome.kind}`)).toEqual([
      'd b failed',
      'b a succeeded',
      'd c succeeded',
    ]);
    const at = ['--state-dir', daemon.stateDirectory, '--file', daemon.file];
    const told = tsched(['why', 'd', ...at])
      .out.split('\n')
      .slice(1)
      .map((line) =>
        line.replaceAll(/[0-9a-f]{8}-[\-0-9a-f]{27}/gv, 'ID').replaceAll(/\d+(?:\.\d+)? ?m?s/gv, 'N'),
      );
    expect(told).toEqual([
      '  it did not run: it runs after b, c have all succeeded, and that cannot be any more',
      '  when a run that it follows is repeated, with another end, it runs after all: tsched retry',
      '  it follows b: it failed with exit code 1 after N, run ID',
      '    b follows a: it succeeded after N, run ID',
      '  it follows c: it succeeded after N, run ID',
      '',
    ]);

    writeFileSync(flag, '');
    const failed = skipped.links[0].row.id as string;
    const { body: again } = await promised(`/api/v1/runs/${failed}/retry`, { method: 'POST', json: {} });
    expect(again).toMatchObject({ jobId: 'b', cause: 'manual', scheduledAt: begun.scheduledAt });
    expect(await rows(7)).toEqual([...first, 'b succeeded', 'd succeeded'].toSorted());
    const { body: ran } = await promised('/api/v1/jobs/d/why');
    expect(ran).toMatchObject({
      slot: begun.scheduledAt,
      reason: 'followed',
      run: { cause: 'dependency', outcome: { result: 'succeeded 7' } },
    });
    expect(ran.run.upstream).toContainEqual({ jobId: 'b', runId: again.id, outcome: 'succeeded' });
    expect(ran.links[0]).toMatchObject({ jobId: 'b', row: { id: again.id } });
  });

  it('is drawn', async () => {
    const { body } = await promised('/api/v1/graph');
    expect(body.links).toContainEqual({ from: 'b', to: 'alarm', via: 'after', on: 'failure', when: 'any' });
    expect(body.links).toContainEqual({ from: 'd', to: 'mail', via: 'needs' });
    expect(body.jobs.map(({ id }: Body) => id)).toEqual(['a', 'b', 'c', 'd', 'alarm', 'mail']);
    expect((await promised('/api/v1/graph?job=none')).status).toBe(404);
    const file = ['--file', daemon.file];
    expect(tsched(['graph', ...file]).out.split('\n')).toEqual([
      'a  0 0 1 1 *',
      '├─ b  when it has succeeded',
      '│  ├─ d  when it and c have succeeded',
      '│  │  └─ mail  needs it; 0 0 1 1 *',
      '│  └─ alarm  when it or c has failed',
      '└─ c  when it has succeeded',
      '   ├─ d  when it and b have succeeded; see above',
      '   └─ alarm  when it or b has failed',
      '',
    ]);
    expect(tsched(['graph', 'd', ...file, '--format', 'mermaid']).out).toContain('j3 -.->|needs| j5\n');
    expect(tsched(['graph', ...file, '--format', 'dot']).out).toContain(
      '  "b" -> "alarm" [label="failure, any"];\n',
    );
    expect(tsched(['graph', 'e', ...file]).code).toBe(64);
  });
});
