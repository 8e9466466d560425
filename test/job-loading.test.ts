import { writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { AppOptions } from '../src/app-options.ts';
import { Deciding } from '../src/deciding.ts';
import { FileUnread, loadJobFile, type GivenFile } from '../src/job-loading.ts';
import { DaemonFile } from '../src/store/daemon-file.ts';
import { MemoryStore } from '../src/store/memory.ts';
import { Files } from './config/support.ts';
import { ScriptedExecutor } from './support/scripted-executor.ts';
import { FakeClock } from './support/fake-clock.ts';

const started: Deciding[] = [];
afterEach(async () => {
  for (const { engine } of started.splice(0)) await engine.stopNow();
});

const job = (id: string): string => `  ${id}: { cron: "0 0 1 1 *", run: x }\n`;
const file = (directory: string, ...ids: string[]): GivenFile => ({
  directory,
  documents: [
    { path: 'jobs.yaml', text: 'include: more/*.yaml\n' },
    { path: 'more/a.yaml', text: `jobs:\n${ids.map(job).join('')}` },
  ],
});

/** A daemon that decides over the jobs of `given`, whatever its disk holds. */
async function deciding(files: Files, source: { read(): Promise<GivenFile | undefined> }) {
  const said: string[] = [];
  const options = {
    file: files.write('jobs.yaml', `jobs:\n${job('on-disk')}`),
    stateDirectory: files.directory,
    environment: {},
    hostTimezone: 'UTC',
  } as unknown as AppOptions;
  const given = await source.read();
  const first = await loadJobFile(options, given === undefined ? {} : { given });
  if (!first.ok) throw new Error('it must load');
  const info = { pid: 1, startedAt: 0, version: '1', file: options.file, jobs: 0, loadedAt: 0 };
  const made = new Deciding({
    options,
    settings: { maxConcurrentRuns: 10, bootedAt: 0 },
    executor: new ScriptedExecutor(new FakeClock(0)),
    runCommand: () => Promise.reject(new Error('nobody is told')),
    lastOutput: () => Promise.reject(new Error('nobody is told')),
    keeping: { store: new MemoryStore(), retain: () => undefined, owners: undefined },
    log: {
      observer: { observe: () => undefined },
      write: (level: string, message: string) => said.push(`${level} ${message}`),
    } as never,
    file: first.file,
    source,
    daemonFile: new DaemonFile(files.path('daemon.json'), { ...info, store: { kind: 'memory' } }),
    supervisor: { every: 1000, rung: () => undefined },
    random: () => 0.5,
    signal: new AbortController().signal,
    onApplied: () => undefined,
    onReloading: () => undefined,
    onReloaded: () => undefined,
  });
  started.push(made);
  await made.loading.start();
  const ids = (): string[] => made.loading.jobs.map(({ id }) => id);
  return { loading: made.loading, ids, said };
}

describe('a job file that is kept elsewhere', () => {
  it('is what runs, and a reload asks for it anew, whatever is on the disk', async () => {
    using files = new Files();
    let now: GivenFile = file('/srv/tsched', 'a');
    const { loading, ids } = await deciding(files, { read: () => Promise.resolve(now) });
    expect(ids()).toEqual(['a']);
    expect(loading.jobs[0]?.source.file).toBe('/srv/tsched/more/a.yaml');
    writeFileSync(files.path('jobs.yaml'), 'broken: [');
    expect(await loading.reload('test')).toEqual({ kind: 'unchanged' });
    now = file('/srv/tsched', 'a', 'b');
    expect(await loading.reload('test')).toMatchObject({ kind: 'applied', summary: { added: ['b'] } });
    expect(ids()).toEqual(['a', 'b']);
  });

  it('with errors leaves the jobs as they are, and says where they stand in it', async () => {
    using files = new Files();
    let now: GivenFile = file('/srv/tsched', 'a');
    const { loading, ids, said } = await deciding(files, { read: () => Promise.resolve(now) });
    now = { ...now, documents: [{ path: 'jobs.yaml', text: 'jobs:\n  a: { evry: 1h, run: x }\n' }] };
    expect(await loading.check(now)).toMatchObject({ ok: false });
    expect(await loading.reload('test')).toMatchObject({ kind: 'kept' });
    expect(said.join('\n')).toContain('error jobs.yaml:2:8: error: jobs.a.evry');
    expect(ids()).toEqual(['a']);
  });

  it('that nobody can say now leaves them too, in words for people', async () => {
    using files = new Files();
    let isAway = false;
    const source = {
      read: () =>
        isAway ? Promise.reject(new FileUnread('the database is away')) : Promise.resolve(file('/srv', 'a')),
    };
    const { loading, ids, said } = await deciding(files, source);
    isAway = true;
    const reason = 'the database is away; the jobs loaded before stay';
    expect(await loading.reload('test')).toEqual({ kind: 'kept', reason });
    expect(said).toContain(`error ${reason}`);
    expect(ids()).toEqual(['a']);
  });

  it('reads texts that are looked at as if they lay where it lies', async () => {
    using files = new Files();
    const { loading } = await deciding(files, { read: () => Promise.resolve(file('/srv/tsched', 'a')) });
    const result = await loading.load('jobs:\n  j: { every: 1h, run: x, cwd: here }\n');
    expect(result).toMatchObject({ file: { jobs: [{ surroundings: { cwd: '/srv/tsched/here' } }] } });
  });

  it('is the one on the disk where there is no other', async () => {
    using files = new Files();
    const { ids } = await deciding(files, { read: () => Promise.resolve(undefined) });
    expect(ids()).toEqual(['on-disk']);
  });
});
