/** Runs in parts, by a real daemon that is killed in the middle. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tsched } from '../cli/tsched.ts';
import { ask, socketOf, startAsked } from '../http/support.ts';
import { directory, type Daemon } from '../support/daemon.ts';
import { historyOf } from '../support/history.ts';

const NEVER = '0 0 1 1 *';

/** Writes down each begin; waits for the test; two fail. */
const TASK = [
  'echo "$TSCHED_SHARD_INDEX $TSCHED_ATTEMPT" >>ledger',
  'echo "part $TSCHED_SHARD_INDEX of $TSCHED_SHARD_TOTAL"',
  'while [ ! -e go ]; do sleep 0.05; done',
  '[ -e mended ] || case $TSCHED_SHARD_INDEX in 3|5) exit 7;; esac',
].join('; ');

function jobs(more: object = {}): string {
  const job = { cron: NEVER, run: TASK, shards: 8, retry: { limit: 1, delay: '10ms' }, ...more };
  return JSON.stringify({ pools: { database: 6 }, jobs: { parts: job } });
}

/** Index and attempt of each start, as the parts wrote them down. */
function begun(where: string): string[] {
  const path = join(where, 'ledger');
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').toSorted() : [];
}

function said(daemon: Daemon, ...args: string[]): { code: number | null; out: string; err: string } {
  return tsched(args, {
    cwd: daemon.directory,
    env: { TSCHED_STATE_DIR: daemon.stateDirectory, TSCHED_FILE: daemon.file },
  });
}

const runs = (daemon: Daemon) => historyOf(daemon.stateDirectory, 'parts').runs;

const EACH_ONCE = ['0 1', '1 1', '2 1', '3 1', '3 2', '4 1', '5 1', '5 2', '6 1', '7 1'];

describe('a run in eight parts of which two fail', () => {
  it.each([
    ['runs', {}, 8],
    ['runs, six at a time, two in line', { pool: 'database' }, 6],
  ])('%s, is killed with its daemon in the middle, and ends once', async (_, more, atOnce) => {
    const where = directory();
    const first = await startAsked({ directory: where, jobs: jobs({ on_shutdown: 'leave', ...more }) });
    said(first, 'trigger', 'parts');
    await first.until('all that may', () => begun(where).length === atOnce);
    await first.until(
      'their rows',
      () => runs(first)[0]?.shards?.filter(({ state }) => state === 'running').length === atOnce,
    );
    first.signal('SIGKILL');
    await first.exited;

    const second = await startAsked({ directory: where });
    writeFileSync(join(where, 'go'), '');
    const run = await second.until('its end', () => runs(second).find(({ state }) => state === 'finished'));
    expect(begun(where)).toEqual(EACH_ONCE);
    expect(run.outcome).toEqual({ kind: 'failed', hint: '2 of 8 shards: 3 exit code 7, 5 exit code 7' });
    expect(runs(second)).toHaveLength(1);

    const { out: table } = said(second, 'history', 'parts');
    expect(table).toContain('failed (6 of 8)');
    expect(table).toMatch(/├ shard 3 .* 2 +exit 7/);
    expect(table).not.toContain('shard 2');
    expect(said(second, 'history', 'parts', '--shards').out).toMatch(/├ shard 2 .* 1 +ok/);
    const { out: printed, err: headings } = said(second, 'logs', 'parts');
    expect(printed.trim().split('\n').toSorted()).toEqual(
      EACH_ONCE.map((line) => `part ${line.slice(0, 1)} of 8`),
    );
    expect(headings).toContain('shard 5: failed with exit code 7');
    expect(said(second, 'logs', `${run.id.slice(0, 13)}.6`).out).toBe('part 6 of 8\n');
    expect(said(second, 'logs', 'parts.6').out).toBe('part 6 of 8\n');
  });
});

describe('whoever asks for a run in parts', () => {
  it('finds its parts, what each printed, and repeats those that failed', async () => {
    const where = directory();
    writeFileSync(join(where, 'go'), '');
    const daemon = await startAsked({ directory: where, jobs: jobs() });
    said(daemon, 'trigger', 'parts', '--wait');
    const [first] = runs(daemon);
    const id = first?.id ?? '';
    const at = (path: string) => ask(socketOf(daemon), `/api/v1/runs/${path}`);

    const { body } = await at(id);
    expect(
      body.shards.map((shard: { id: string; attempts: object[] }) => [shard.id, shard.attempts.length]),
    ).toEqual([1, 1, 1, 2, 1, 2, 1, 1].map((attempts, index) => [`${id}.${index}`, attempts]));
    expect(body).toMatchObject({ attempts: [], outcome: { kind: 'failed' } });
    expect((await at(`${id}.2/output`)).text).toBe('part 2 of 8\n');
    expect((await at(`${id}.3/output?attempt=1`)).text).toBe('part 3 of 8\n');
    expect(await at(`${id}/output`)).toMatchObject({ status: 404, body: { code: 'no_output' } });
    expect(await at(`${id}.8`)).toMatchObject({ status: 404, body: { code: 'unknown_run' } });
    expect(await at(`${id}.3`)).toMatchObject({ status: 200, body: { id: `${id}.3`, state: 'finished' } });

    writeFileSync(join(where, 'mended'), '');
    expect(said(daemon, 'retry', id, '--wait').code).toBe(0);
    // Recorded a moment after it is said.
    const again = await daemon.until('its row', () => {
      const [, row] = runs(daemon);
      return row?.state === 'finished' && row;
    });
    expect(again.shards?.map(({ index, total }) => [index, total])).toEqual([
      [3, 8],
      [5, 8],
    ]);
    expect(again.outcome).toEqual({ kind: 'succeeded' });
    expect(begun(where)).toEqual([...EACH_ONCE, '3 1', '5 1'].toSorted());

    const metrics = (await ask(socketOf(daemon), '/metrics')).text;
    expect(metrics).toMatch(/tsched_runs_total\{job="parts",outcome="failed",cause="manual"\} 1\n/);
    expect(metrics).toMatch(/tsched_runs_total\{job="parts",outcome="succeeded",cause="manual"\} 1\n/);
  });

  it('cancels all of it', async () => {
    const where = directory();
    const daemon = await startAsked({ directory: where, jobs: jobs({ pool: 'database' }) });
    said(daemon, 'trigger', 'parts');
    await daemon.until('six', () => begun(where).length === 6);
    const id = runs(daemon)[0]?.id ?? '';
    const part = await ask(socketOf(daemon), `/api/v1/runs/${id}.2/cancel`, { method: 'POST' });
    expect(part).toMatchObject({ status: 404, body: { detail: expect.stringContaining('with its run') } });
    expect(said(daemon, 'cancel', 'parts').code).toBe(0);
    const run = await daemon.until('its end', () => runs(daemon).find(({ state }) => state === 'finished'));
    expect(run.shards?.every(({ outcome }) => outcome?.kind === 'cancelled')).toBe(true);
    expect(run.outcome).toEqual({ kind: 'cancelled', by: 'operator' });
    expect(begun(where)).toHaveLength(6);
  });
});

describe('a matrix', () => {
  it('tells each part what it is for, a process and a module alike', async () => {
    const where = directory();
    writeFileSync(
      join(where, 'task.mjs'),
      'export default ({ matrix, shard, log }) => log.info(`${shard.index} ${matrix.region} ${matrix["kind-of"]}`);\n',
    );
    const matrix = { region: ['eu', 'us'], 'kind-of': ['a', 'b'] };
    const shell = {
      cron: NEVER,
      matrix,
      run: 'echo "$TSCHED_SHARD_INDEX $TSCHED_MATRIX_REGION $TSCHED_MATRIX_KIND_OF"',
    };
    const module = { cron: NEVER, matrix, module: './task.mjs' };
    const thread = { ...module, isolation: 'thread' };
    const daemon = await startAsked({
      directory: where,
      jobs: JSON.stringify({ jobs: { shell, module, thread } }),
    });
    const lines = ['0 eu a', '1 eu b', '2 us a', '3 us b'];
    for (const job of ['shell', 'module', 'thread']) {
      expect(said(daemon, 'trigger', job, '--wait').code).toBe(0);
      const { out, err } = said(daemon, 'logs', job);
      expect(out.trim().replaceAll('[info] ', '').split('\n')).toEqual(lines);
      expect(err).toContain('shard 1 (region=eu, kind-of=b): succeeded');
    }
  });
});
