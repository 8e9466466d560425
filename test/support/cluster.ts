/** Nodes of a cluster as real processes over a real PostgreSQL, and what the history they share says. */
import { setTimeout as pause } from 'node:timers/promises';
import { loadJobFile } from '../../src/config/load.ts';
import { systemClock } from '../../src/engine/clock.ts';
import type { JobDefinition, RunRecord, SkipRecord } from '../../src/model.ts';
import { openDatabase } from '../../src/postgres/database.ts';
import { compileSchedule } from '../../src/schedule/trigger.ts';
import { openPostgresHistory } from '../../src/store/postgres/history.ts';
import { directory, startDaemon, type Daemon, type DaemonOptions, type Later } from './daemon.ts';
import type { Postgres } from './postgres.ts';

export interface NodeOptions extends DaemonOptions {
  readonly name: string;
  readonly slots?: number;
  readonly labels?: readonly string[];
}

export class TestCluster {
  readonly server: Postgres;
  readonly url: string;
  readonly #later: Later | undefined;

  constructor(server: Postgres, url: string, later?: Later) {
    this.server = server;
    this.url = url;
    this.#later = later;
  }

  static async in(server: Postgres, later?: Later): Promise<TestCluster> {
    return new TestCluster(server, await server.createDatabase(), later);
  }

  /** A daemon that schedules and works. Its state is in the directory, or in a new one. */
  node({ name, slots = 100, labels = [], args = [], env = {}, ...options }: NodeOptions): Daemon {
    const later = options.later ?? this.#later;
    const settings = [
      '--node-name',
      name,
      '--slots',
      String(slots),
      ...labels.flatMap((label) => ['--label', label]),
    ];
    return startDaemon({
      ...options,
      ...(later && { later }),
      directory: options.directory ?? directory(later),
      args: [...settings, ...args],
      env: { TSCHED_STORE: this.url, ...env },
    });
  }

  /** A daemon that only works. */
  worker(options: Omit<NodeOptions, 'jobs' | 'file'>): Daemon {
    return this.node({ ...options, command: 'worker' });
  }

  /** Waits until one of the nodes conducts. */
  conductor(nodes: readonly Daemon[]): Promise<Daemon> {
    const [first] = nodes;
    if (first === undefined) throw new Error('no node');
    return first.until('a node to conduct', () =>
      nodes.find((node) => node.events('engine_started').length > 0),
    );
  }

  /** Everything that became of slots. */
  async rows(): Promise<{ runs: RunRecord[]; skips: SkipRecord[] }> {
    const database = await openDatabase({ url: this.url, clock: systemClock });
    try {
      const history = openPostgresHistory(database);
      const found = { runs: [] as RunRecord[], skips: [] as SkipRecord[] };
      for (let cursor: string | undefined; ;) {
        const page = await history.page({ limit: 5000, cursor });
        for (const row of page?.rows ?? []) {
          if ('run' in row) found.runs.push(row.run);
          else found.skips.push(row.skip);
        }
        cursor = page?.next;
        if (cursor === undefined) return found;
      }
    } finally {
      await database.close();
    }
  }

  /** Of our tables, by a connection of its own; names of tables with their schema. */
  ask<Row extends object>(sql: string): Promise<Row[]> {
    return this.server.ask<Row>(sql, this.url);
  }
}

/** The jobs of a file. */
export async function definitionsIn(file: string): Promise<readonly JobDefinition[]> {
  const now = Date.now();
  const result = await loadJobFile(file, { environment: {}, hostTimezone: 'UTC', now });
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.file.jobs;
}

/** How many slots a job has from one moment to another, both included. */
export function slotsOf({ id, schedule }: JobDefinition, { from, to }: { from: number; to: number }): number {
  const trigger = compileSchedule(schedule, id);
  let count = 0;
  for (let slot = trigger.next(from - 1); slot !== undefined && slot <= to; slot = trigger.next(slot))
    count += 1;
  return count;
}

/** Waits for something that has to be asked for; `look` gives what is still wanting. */
export async function untilAsync(
  what: string,
  look: () => Promise<string | undefined>,
  patience = 120_000,
): Promise<void> {
  let wanting: string | undefined = 'everything';
  const over = AbortSignal.timeout(patience);
  while (wanting !== undefined) {
    wanting = await look().catch((error: unknown) => String(error));
    if (wanting !== undefined && over.aborted) throw new Error(`waited in vain for ${what}: ${wanting}`);
    if (wanting !== undefined) await pause(300);
  }
}
