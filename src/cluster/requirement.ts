/** What an attempt needs of the node that runs it. All that need the same wait in one queue. */
import { createHash } from 'node:crypto';
import type { JobDefinition, Task } from '../model.ts';
import { json, type Queryable } from '../postgres/database.ts';

export interface Requirement {
  /** Of its queue: `any`, or made of what it needs. */
  readonly name: string;
  /** Sorted. */
  readonly labels: readonly string[];
  /** Absolute path of the module that has to be there; undefined: none. */
  readonly module: string | undefined;
}

/** Of an attempt, or of a job's attempts. */
export function requirementOf({
  runsOn: labels = [],
  task,
}: {
  readonly runsOn?: readonly string[] | undefined;
  readonly task: Task;
}): Requirement {
  const module = task.kind === 'module' ? task.path : undefined;
  if (labels.length === 0 && module === undefined) return { name: 'any', labels, module };
  const hash = createHash('sha256').update(JSON.stringify([labels, module ?? null]));
  return { name: `r.${hash.digest('hex').slice(0, 24)}`, labels, module };
}

/** One group for each key, in the order in which they come. */
export function grouped<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
): ReadonlyMap<string, readonly Item[]> {
  return Map.groupBy(items, keyOf);
}

function rowsOf(requirements: readonly Requirement[], jobs: number): object[] {
  return requirements.map(({ name, labels, module = null }) => ({ name, labels, module, jobs }));
}

const ROWS = 'jsonb_to_recordset($1) AS x (name text, labels text[], module text, jobs int)';

/** Makes sure that every node can look up what these queues require. */
export async function knowQueues(tx: Queryable, requirements: readonly Requirement[]): Promise<void> {
  await tx.run(
    `INSERT INTO queues (name, labels, module, jobs) SELECT * FROM ${ROWS} ON CONFLICT (name) DO NOTHING`,
    [json(rowsOf(requirements, 0))],
  );
}

/** What these jobs, and no others, require. `channel` hears that it is another than before. */
export async function declareQueues(
  tx: Queryable,
  jobs: readonly Pick<JobDefinition, 'runsOn' | 'task'>[],
  channel: string,
): Promise<void> {
  const groups = grouped(
    jobs.map((job) => requirementOf(job)),
    ({ name }) => name,
  );
  const rows = [...groups.values()].flatMap((group) => rowsOf(group.slice(0, 1), group.length));
  await tx.query(
    `WITH wanted AS (SELECT * FROM ${ROWS}),
       gone AS (UPDATE queues SET jobs = 0 WHERE jobs <> 0 AND name NOT IN (SELECT name FROM wanted) RETURNING 1),
       there AS (
         INSERT INTO queues (name, labels, module, jobs) SELECT * FROM wanted
         ON CONFLICT (name) DO UPDATE SET jobs = excluded.jobs WHERE queues.jobs <> excluded.jobs RETURNING 1)
     SELECT pg_notify($2, '') WHERE EXISTS (SELECT FROM gone) OR EXISTS (SELECT FROM there)`,
    [json(rows), channel],
  );
}

export interface KnownQueue extends Requirement {
  /** How many loaded jobs need it; none: what waits there is what is left. */
  readonly jobs: number;
}

export async function knownQueues(queryable: Queryable): Promise<readonly KnownQueue[]> {
  const rows = await queryable.query<KnownQueue & { readonly module: string | null }>(
    'SELECT name, labels, module, jobs FROM queues',
  );
  return rows.map(({ name, labels, module, jobs }) => ({ name, labels, jobs, module: module ?? undefined }));
}
