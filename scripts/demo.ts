/** A machine that does not exist, with a year of history: the same each time, for pictures of the page. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../src/engine/clock.ts';
import { runIds } from '../src/engine/run-id.ts';
import type { AttemptRecord, Outcome, RunRecord, SkipRecord } from '../src/model.ts';
import { compileTrigger } from '../src/schedule/compile-trigger.ts';
import { openSqliteStore } from '../src/store/sqlite/store.ts';

/** When the pictures are taken: a Monday morning. */
export const NOW = Date.parse('2026-11-23T09:41:40+01:00');
export const TIMEZONE = 'Europe/Berlin';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;
/** Rows recorded in one go. */
const BATCH = 500;

/** The pictured run: its first attempt failed, its second has much to say. */
export const SHOWN = { jobId: 'nightly-backup', scheduledAt: Date.parse('2026-11-23T02:30:00+01:00') };

const FILE = `timezone: ${TIMEZONE}
history: { keep: 100000, max_age: none }

jobs:
  nightly-backup:
    description: Dump the shop's database and copy it off site
    cron: "30 2 * * *"
    run: ./backup.sh --database shop --to s3://backups/shop
    tags: [database, nightly]
    timeout: 45m
    retry: { limit: 3, delay: 1m }
  sync-images:
    description: New pictures of articles, to the web servers
    cron: "*/7 * * * *"
    run: |
      printf '\\033[1mComparing 18,204 pictures\\033[0m\\n'
      for n in $(seq 400); do printf '\\033[32m✓\\033[0m %s/%s.webp\\n' "$((n % 7))" "$((n * 7919))"; sleep 0.2; done
    tags: [shop]
    timeout: 5m
    on_shutdown: terminate
  import-orders:
    description: Orders of the last ten minutes, from all market places
    every: 10m
    run: ./import.sh --since last
    tags: [shop, orders]
    timeout: 8m
    overlap: queue
  search-index:
    description: Rebuild what the shop's search looks into
    cron: "5 * * * *"
    run: ./index.sh --all
    tags: [shop]
    timeout: 20m
  morning-report:
    description: What happened since yesterday, by mail
    cron: "0 7 * * 1-5"
    timezone: America/New_York
    module: ./report.ts
    with: { recipients: [ops@example.com], since: yesterday }
    tags: [reports]
  warehouse-sync:
    description: Stock levels, from the warehouse
    cron: "*/15 * * * *"
    run: ./stock.sh
    tags: [orders]
  rotate-logs:
    cron: "15 0 * * *"
    command: [/usr/sbin/logrotate, /etc/logrotate.conf]
    tags: [nightly]
  certificates:
    description: Renew what expires within 30 days
    cron: "0 4 * * 1"
    run: certbot renew --quiet
  invoices:
    description: Invoices of the month before
    cron: "0 6 1 * *"
    run: ./invoices.sh
    tags: [orders]
  old-import:
    description: Replaced by import-orders
    cron: "0 * * * *"
    run: ./old-import.sh
    enabled: false
`;

interface Habit {
  readonly when: { readonly cron: string } | { readonly every: string };
  readonly timezone?: string;
  /** Of history. */
  readonly days: number;
  /** Typical length. Milliseconds. */
  readonly length: number;
  /** How often it fails, of one. */
  readonly failing: number;
  readonly timeout?: number;
  /** Since when it does nothing but fail. */
  readonly brokenSince?: number;
}

const HABITS: Readonly<Record<string, Habit>> = {
  'nightly-backup': {
    when: { cron: '30 2 * * *' },
    days: 365,
    length: 12 * MINUTE,
    failing: 0.03,
    timeout: 45 * MINUTE,
  },
  'sync-images': { when: { cron: '*/7 * * * *' }, days: 6, length: 44 * SECOND, failing: 0.004 },
  'import-orders': { when: { every: '10m' }, days: 8, length: 95 * SECOND, failing: 0.01 },
  'search-index': {
    when: { cron: '5 * * * *' },
    days: 60,
    length: 6 * MINUTE,
    failing: 0.01,
    brokenSince: NOW - 2.6 * 60 * MINUTE,
  },
  'morning-report': {
    when: { cron: '0 7 * * 1-5' },
    timezone: 'America/New_York',
    days: 365,
    length: 8 * SECOND,
    failing: 0.01,
  },
  'warehouse-sync': { when: { cron: '*/15 * * * *' }, days: 10, length: 4 * SECOND, failing: 0.02 },
  'rotate-logs': { when: { cron: '15 0 * * *' }, days: 365, length: 900, failing: 0 },
  certificates: { when: { cron: '0 4 * * 1' }, days: 365, length: 21 * SECOND, failing: 0.04 },
  invoices: { when: { cron: '0 6 1 * *' }, days: 365, length: 3 * MINUTE, failing: 0 },
};

/** The same chance each time (mulberry32). */
function chanceFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Writes the job file, its history and one run's output. Gives the job file, and the id of the run to show. */
export async function makeDemo(directory: string): Promise<{ file: string; runId: string }> {
  const file = join(directory, 'jobs.yaml');
  writeFileSync(file, FILE);
  writeFileSync(join(directory, 'report.ts'), 'export default function report(): void {}\n');
  const state = join(directory, 'state');
  mkdirSync(state, { mode: 0o700 });
  const { runs, skips } = history();
  const store = await openSqliteStore({
    path: join(state, 'tsched.db'),
    clock: systemClock,
    retention: { keep: 100_000 },
    onHealth: () => undefined,
    onPruned: () => undefined,
    reclaim: () => undefined,
  });
  for (let at = 0; at < runs.length; at += BATCH) {
    const some = runs.slice(at, at + BATCH);
    await store.claim(some, at === 0 ? skips : []);
    for (const run of some) void store.save(run);
  }
  await store.close();
  const shown = runs.find((run) => run.jobId === SHOWN.jobId && run.scheduledAt === SHOWN.scheduledAt);
  if (shown === undefined) throw new Error('the run to show is not there');
  const place = join(state, 'runs', shown.id);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  writeFileSync(
    join(place, 'attempt-1.log'),
    'pg_dump: error: connection to server failed: Connection refused\n',
  );
  writeFileSync(join(place, 'attempt-2.log'), output());
  return { file, runId: shown.id };
}

function history(): { runs: RunRecord[]; skips: SkipRecord[] } {
  const chance = chanceFrom(4711);
  const idAt = runIds((bytes) => {
    for (let index = 0; index < bytes.length; index += 1) bytes[index] = Math.floor(chance() * 256);
  });
  const runs: RunRecord[] = [];
  const skips: SkipRecord[] = [];
  for (const [jobId, habit] of Object.entries(HABITS)) {
    const { when, timezone = TIMEZONE, days } = habit;
    const trigger = compileTrigger({ ...when, timezone, jobId });
    for (let at = trigger.next(NOW - days * DAY); at !== undefined && at < NOW; at = trigger.next(at)) {
      if (jobId === 'import-orders' && chance() < 0.01) skips.push(skipOf(jobId, at));
      else runs.push(runOf({ jobId, at, habit, chance }));
    }
  }
  // Ids count up with time.
  const sorted = runs.sort((one, other) => one.claimedAt - other.claimedAt);
  return { runs: sorted.map((run) => Object.assign(run, { id: idAt(run.claimedAt) })), skips };
}

function skipOf(jobId: string, at: number): SkipRecord {
  return { jobId, scheduledAt: at, through: at, count: 1, reason: 'overlap', at: at + 20 };
}

interface Wanted {
  readonly jobId: string;
  readonly at: number;
  readonly habit: Habit;
  readonly chance: () => number;
}

function runOf({ jobId, at, habit, chance }: Wanted): RunRecord {
  const { length, failing, timeout, brokenSince = Infinity } = habit;
  const claimedAt = at + Math.floor(2 + chance() * 14);
  // Lengths scatter to the long side, as they do.
  let took = Math.round(length * Math.exp((chance() + chance() + chance() - 1.5) * 0.35));
  const dice = chance();
  const isShown = jobId === SHOWN.jobId && at === SHOWN.scheduledAt;
  let outcome: Outcome = { kind: 'succeeded', exitCode: 0 };
  if (at > brokenSince || (dice < failing && !isShown)) {
    outcome =
      timeout !== undefined && dice < failing / 3
        ? { kind: 'timed_out', after: timeout }
        : { kind: 'failed', exitCode: 2 };
    took = outcome.kind === 'timed_out' ? (timeout ?? took) : Math.round(took / 4);
  }
  const attempts: AttemptRecord[] = [];
  let startedAt = claimedAt + 3;
  if (isShown) {
    attempts.push({
      number: 1,
      startedAt,
      finishedAt: startedAt + 9300,
      duration: 9300,
      pid: 40_213,
      outcome: { kind: 'failed', exitCode: 1 },
    });
    startedAt += 9300 + MINUTE;
  }
  const finishedAt = startedAt + took;
  attempts.push({ number: attempts.length + 1, startedAt, finishedAt, duration: took, pid: 40_217, outcome });
  return {
    id: '',
    jobId,
    scheduledAt: at,
    cause: 'schedule',
    claimedAt,
    state: 'finished',
    attempts,
    finishedAt,
    outcome,
  };
}

function output(): string {
  const lines = [
    '\u001b[1mpg_dump\u001b[0m: last built-in OID is 16383',
    'pg_dump: reading schemas',
    'pg_dump: reading user-defined tables',
  ];
  for (const [
    index,
    table,
  ] of 'articles customers carts orders order_items payments shipments stock suppliers vouchers'
    .split(' ')
    .entries()) {
    lines.push(
      `pg_dump: dumping contents of table "public.${table}"`,
      `  \u001b[32m✓\u001b[0m ${(((index + 1) * 7919) % 4000) * 311} rows`,
    );
  }
  lines.push('\u001b[33mwarning\u001b[0m: table "audit_log" was skipped, it is above 20 GB');
  for (let part = 1; part <= 12; part += 1)
    lines.push(`upload part ${part} of 12: 64 MiB in ${(4 + ((part * 13) % 7) / 10).toFixed(1)} s`);
  lines.push(
    'checksum 5b6f0c3e matches',
    '\u001b[32mdone\u001b[0m: s3://backups/shop/2026-11-23.dump, 748 MiB',
  );
  return `${lines.join('\n')}\n`;
}
