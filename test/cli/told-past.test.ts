/** What commands that look back say at a node of a cluster: as they say it where the history lies beside them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../src/model.ts';
import { startAsked } from '../http/support.ts';
import { TestCluster } from '../support/cluster.ts';
import { directory, type Daemon } from '../support/daemon.ts';
import { startPostgres } from '../support/postgres.ts';
import { printed, ran, skipped, stateWith } from './past.ts';
import { tsched } from './tsched.ts';

const DATABASE = 'postgres://ops@db.example/tsched';
const jobs = `
timezone: Europe/Berlin
jobs:
  backup: { cron: "30 2 * * *", run: x }
  parts: { cron: "0 3 * * *", run: x, matrix: { of: [a, b] } }
  never: { cron: "0 0 1 1 *", run: x, enabled: false }
  boot: { startup: daemon, run: "echo one; sleep 2; printf 'tw\\\\377o'" }
`;

/** Makes the daemon's file say that it is a node of a cluster, and gives what takes that back. */
function asNode(state: string): () => void {
  const file = join(state, 'daemon.json');
  const told = readFileSync(file, 'utf8');
  const text = JSON.stringify({ ...(JSON.parse(told) as object), database: DATABASE });
  writeFileSync(file, `${text}\n`.padStart(told.length));
  return () => writeFileSync(file, told);
}

/** One day for all of it, though a midnight may come. */
const NOW = Date.now();

/** At 02:30 in Berlin, where it is winter, some days ago. */
const dayAgo = (days: number): string => {
  const day = new Date(NOW - days * 86_400_000).toISOString().slice(0, 10);
  return `${day}T01:30:00Z`;
};

function fill(state: string) {
  const failed = { kind: 'failed', exitCode: 1 } as const;
  const attempt = (number: number, startedAt: number) => ({
    number,
    startedAt,
    finishedAt: startedAt + 5,
    duration: 5,
    outcome: failed,
  });
  const at = Date.parse(dayAgo(2));
  const tries = [1, 2, 3].map((number) => attempt(number, at + number * 1000));
  const runs = [
    ran('backup', dayAgo(5)),
    ran('backup', dayAgo(4)),
    ran('backup', dayAgo(2), { attempts: tries, outcome: failed }),
    ran('left', dayAgo(3)),
  ];
  const part = (index: number, value: string, outcome: Outcome) => ({
    index,
    total: 2,
    values: { of: value },
    state: 'finished' as const,
    attempts: [{ ...attempt(1, at + 1000), outcome }],
    finishedAt: at + 9000,
    outcome,
  });
  const shards = [part(0, 'a', { kind: 'succeeded' }), part(1, 'b', failed)];
  const parts = ran('parts', dayAgo(2), { attempts: [], shards, outcome: failed });
  const skips = [skipped('backup', dayAgo(3), { reason: 'misfire', through: Date.parse(dayAgo(3)) })];
  stateWith({ runs: [...runs, parts], skips }, state);
  const [first, second, third, left] = runs;
  for (const run of [first, left]) if (run !== undefined) printed(state, run, ['whole\n']);
  if (third !== undefined) printed(state, third, ['one\nuno\n', Buffer.from('tw\xffo\n', 'latin1'), 'three']);
  for (const index of [0, 1]) printed(state, { id: `${parts.id}/${index}` }, [`of ${index}\n`]);
  return { first, second, third, parts };
}

/** A line begins with a command; `|` stands between its calls, of which the first may have nothing more. */
function commandsIn(text: string): string[][] {
  const commands = text.trim().split(/\n\s*(?!\s|\|)/);
  return commands.flatMap((line) => {
    const [command = '', ...first] = line.split(' | ')[0]?.trim().split(/\s+/) ?? [];
    const calls = line
      .split(/\s\|\s/)
      .slice(1)
      .map((call) => call.trim().split(/\s+/));
    return [first, ...calls].map((call) => [command].concat(call));
  });
}

describe('looking back at a node of a cluster', () => {
  let daemon: Daemon;
  const run = (args: readonly string[]) =>
    tsched([...args, '--file', daemon.file, '--state-dir', daemon.stateDirectory], { cwd: daemon.directory });

  it('says what it says of a history beside it, with the same exit codes', async () => {
    const where = directory();
    const { first, second, third, parts } = fill(join(where, 'state'));
    daemon = await startAsked({ jobs, directory: where });
    await daemon.waitFor('the end of the run at the start', ({ event }) => event === 'run_finished');
    const [id = '', gone = ''] = [third?.id, second?.id];
    const [four, three, two] = [4, 3, 2].map(dayAgo);
    const asked = `
      history | backup | left | never | backu | --limit 2 | --shards | --json | parts --json | --status failed,skipped
      | --status lost | backup --since ${four?.slice(0, 10)} --until ${three?.slice(0, 10)} --tz Asia/Tokyo
      logs backup | left | parts | ${id} | ${id.slice(0, 13)} | never | backu | ${parts.id}.0 | ${parts.id}.1 | ${parts.id}.7
      | ${first?.id.slice(0, 4)} | backup --tail 0 | backup --tail 1 | backup --tail 2 | backup --tail 4 | backup --tail 9
      | backup --attempt 2 | backup --attempt 9 | backup --raw | backup --json | backup -f | backup -f --tail 1
      why backup ${two} | backup ${two} --json | backup ${three} --tz Asia/Tokyo | backup ${three} --json --tz Asia/Tokyo
      | parts ${two} | never | boot --json | backup yesterday | backu`;
    for (const args of commandsIn(asked)) {
      const beside = run(args);
      const back = asNode(daemon.stateDirectory);
      const told = run(args);
      back();
      // Of a young run as much of its id is shown as tells it from those to come: less, the older it is.
      const since = isDeepStrictEqual(told, beside) ? beside : run(args);
      expect(told, args.join(' ')).toEqual(since);
      expect(told.out + told.err, args.join(' ')).not.toBe('');
    }
    asNode(daemon.stateDirectory);
    expect(run(['logs', gone])).toMatchObject({
      code: 1,
      err: expect.stringContaining('is gone from the node that had it'),
    });
    const unknown = 'no job and no run is called "ffffffff"; there are backup, boot, never, parts';
    expect(run(['logs', 'ffffffff'])).toMatchObject({ code: 64, err: expect.stringContaining(unknown) });
    const status = tsched(['status', '--state-dir', daemon.stateDirectory]);
    expect(status).toMatchObject({ code: 0, err: '', out: expect.stringContaining('failing') });
  });

  it('follows a run to its end', async () => {
    daemon = await startAsked({ jobs });
    await daemon.waitFor('the start', ({ event }) => event === 'attempt_started');
    asNode(daemon.stateDirectory);
    expect(run(['logs', 'boot', '-f', '--raw'])).toEqual({ code: 0, out: 'one\ntw\ufffdo', err: '' });
  });

  it('says where the history is when no daemon is there to tell it', async () => {
    daemon = await startAsked({ jobs });
    daemon.signal('SIGKILL');
    await daemon.exited;
    asNode(daemon.stateDirectory);
    const message = `tsched: this host's history is in PostgreSQL: ${DATABASE}; `;
    for (const args of [['history'], ['logs', 'boot'], ['why', 'boot']]) {
      const { code, out, err } = run(args);
      expect({ code, out }, args[0]).toEqual({ code: 69, out: '' });
      expect(err).toContain(message);
      expect(err).toContain('tsched start --store');
    }
    const state = ['--state-dir', daemon.stateDirectory];
    expect(tsched(['db', 'check', ...state])).toMatchObject({
      code: 66,
      err: expect.stringContaining('pg_dump'),
    });
    expect(tsched(['status', ...state])).toMatchObject({ code: 1, out: expect.stringContaining(DATABASE) });
    expect(run(['list'])).toMatchObject({
      code: 0,
      err: expect.stringContaining('the history is not shown'),
    });
  });

  it('reaches the history of a real node', async () => {
    const server = await startPostgres();
    try {
      const cluster = await TestCluster.in(server);
      daemon = await cluster.node({ name: 'alpha', jobs }).ready();
      await daemon.waitFor('the end of the run at the start', ({ event }) => event === 'run_finished');
      await daemon.until('the run in the history', () => run(['history', 'boot']).out.includes('ok'));
      const told = run(['history', 'boot']);
      expect(told).toMatchObject({ code: 0, err: '', out: expect.stringContaining('NODE') });
      expect(told.out).toContain('alpha');
      expect(run(['logs', 'boot'])).toMatchObject({ code: 0, out: 'one\ntw\\xffo\n' });
      const ran = /it ran (?:on time|late)\b.* after it was due/;
      expect(run(['why', 'boot'])).toMatchObject({ code: 0, out: expect.stringMatching(ran) });
      expect(tsched(['status', '--state-dir', daemon.stateDirectory])).toMatchObject({ code: 0, err: '' });
      expect(await daemon.stop()).toBe(0);
      expect(run(['history'])).toMatchObject({
        code: 69,
        err: expect.stringContaining(`127.0.0.1:${server.port}`),
      });
    } finally {
      await server.stop();
    }
  });
});
