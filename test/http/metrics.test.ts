/** Figures for Prometheus, by a reader that is stricter than Prometheus. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Daemon } from '../support/daemon.ts';
import { readExposition, type Family } from './exposition.ts';
import { ask, socketOf, startAsked } from './support.ts';

const root = join(import.meta.dirname, '../..');

async function scrape(daemon: Daemon): Promise<Map<string, Family>> {
  const { status, text, headers } = await ask(socketOf(daemon), '/metrics');
  expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
  return readExposition(text);
}

function valueOf(
  families: Map<string, Family>,
  name: string,
  labels: Record<string, string> = {},
): number | undefined {
  const base = name.replace(/_(?:bucket|sum|count)$/, '');
  const family = families.get(name) ?? families.get(base);
  return family?.samples.find(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
  )?.value;
}

async function run(daemon: Daemon, job: string): Promise<void> {
  const { body } = await ask(socketOf(daemon), `/api/v1/jobs/${job}/runs`, { method: 'POST' });
  await daemon.waitFor(`the run of ${job}`, ({ event, run }) => event === 'run_finished' && run === body.id);
}

const jobs = `
jobs:
  good: { every: 1000d, run: "true" }
  bad: { every: 1000d, run: "exit 3", retry: { limit: 1, delay: 10ms } }
  rests: { every: 1000d, run: "true", enabled: false }
  often: { cron: "* * * * * *", run: "true" }
  boot: { startup: daemon, run: "true" }
`;

describe('metrics', () => {
  it('count what happens, by job, in our words', async () => {
    const daemon = await startAsked({ jobs });
    await daemon.waitFor('the run of boot', ({ event, job }) => event === 'run_finished' && job === 'boot');
    await run(daemon, 'good');
    await run(daemon, 'bad');
    await ask(socketOf(daemon), '/api/v1/jobs/often/pause', { method: 'POST' });
    await daemon.waitFor('a skipped slot', ({ event }) => event === 'slots_skipped');
    const told = await scrape(daemon);
    const of = (name: string, labels?: Record<string, string>): number | undefined =>
      valueOf(told, name, labels);
    expect(of('tsched_runs_total', { job: 'boot', outcome: 'succeeded', cause: 'schedule' })).toBe(1);
    expect(of('tsched_runs_total', { job: 'good', outcome: 'succeeded', cause: 'manual' })).toBe(1);
    expect(of('tsched_runs_total', { job: 'bad', outcome: 'failed', cause: 'manual' })).toBe(1);
    expect(of('tsched_run_attempts_total', { job: 'bad' })).toBe(2);
    expect(of('tsched_run_retries_total', { job: 'bad' })).toBe(1);
    expect(of('tsched_run_duration_seconds_count', { job: 'good' })).toBe(1);
    expect(of('tsched_run_start_delay_seconds_count')).toBeGreaterThanOrEqual(3);
    expect(of('tsched_runs_missed_total', { job: 'often', reason: 'paused' })).toBeGreaterThanOrEqual(1);
    expect(of('tsched_jobs', { state: 'disabled' })).toBe(1);
    expect(of('tsched_jobs', { state: 'paused' })).toBe(1);
    expect(of('tsched_runs_running', { job: 'good' })).toBe(0);
    expect(of('tsched_job_next_run_timestamp_seconds', { job: 'good' })).toBeGreaterThan(Date.now() / 1000);
    expect(of('tsched_job_last_success_timestamp_seconds', { job: 'good' })).toBeGreaterThan(
      Date.now() / 1000 - 100,
    );
    expect(of('tsched_job_last_success_timestamp_seconds', { job: 'bad' })).toBeUndefined();
    expect(of('tsched_build_info', { node: process.version })).toBe(1);
    expect(of('tsched_store_degraded')).toBe(0);
    expect(of('tsched_store_size_bytes')).toBeGreaterThan(4096);
    expect(of('process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
  });

  it('of jobs that left go away with a reload, and tell how reloads went', async () => {
    const daemon = await startAsked({ jobs, args: ['--no-watch'] });
    await run(daemon, 'bad');
    const withJob = async (job: string): Promise<string[]> =>
      [...(await scrape(daemon)).values()]
        .filter(({ samples }) => samples.some(({ labels }) => labels['job'] === job))
        .map(({ name }) => name);
    expect((await withJob('bad')).length).toBeGreaterThan(5);
    writeFileSync(daemon.file, jobs.replace(/ {2}bad.*\n/, ''));
    const reload = () => ask(socketOf(daemon), '/api/v1/reload', { method: 'POST' });
    expect((await reload()).body.removed).toEqual(['bad']);
    expect(await withJob('bad')).toEqual([]);
    writeFileSync(daemon.file, 'jobs: [');
    expect((await reload()).status).toBe(422);
    const told = await scrape(daemon);
    expect(valueOf(told, 'tsched_config_reloads_total', { result: 'applied' })).toBe(1);
    expect(valueOf(told, 'tsched_config_reloads_total', { result: 'refused' })).toBe(1);
    expect(valueOf(told, 'tsched_config_last_reload_successful')).toBe(0);
  });

  it('come whole to two readers at once, of a thousand jobs', async () => {
    const many = Array.from({ length: 1000 }, (_, n) => `  j${n}: { every: 1000d, run: "true" }\n`).join('');
    const daemon = await startAsked({ jobs: `jobs:\n${many}` });
    await run(daemon, 'j7');
    for (const told of await Promise.all([scrape(daemon), scrape(daemon)])) {
      expect(told.get('tsched_job_next_run_timestamp_seconds')?.samples).toHaveLength(1000);
      expect(valueOf(told, 'tsched_runs_total', { job: 'j7' })).toBe(1);
    }
  });

  it('are those that the dashboard and the alerts ask for', async () => {
    const daemon = await startAsked({ jobs });
    const told = await scrape(daemon);
    const texts = ['grafana-dashboard.json', 'alerts.yaml'].map((name) =>
      readFileSync(join(root, 'examples', name), 'utf8'),
    );
    expect(JSON.parse(texts[0] ?? '')).toMatchObject({ title: 'tsched' });
    const names = new Set(texts.join('\n').match(/\b(?:tsched|process|nodejs)_[a-z_0-9]+\b/g));
    expect(names.size).toBeGreaterThan(10);
    const unknown = [...names].filter(
      (name) => !told.has(name) && !told.has(name.replace(/_(?:bucket|sum|count)$/, '')),
    );
    // Those of clusters: see observe/node-metrics.test.ts.
    expect(unknown.filter((name) => !/^tsched_(?:node|queue)_/.test(name))).toEqual([]);
  });
});
