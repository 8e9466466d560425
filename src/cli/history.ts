import type { HistoryRow } from '../engine/ports.ts';
import type { Duration, Instant, JobId } from '../model.ts';
import { elapsed, printable, printableJson } from '../observe/text.ts';
import type { Status } from '../engine/ports-operator.ts';
import type { RowQuery } from '../store/history.ts';
import { HistoryTable } from './history-table.ts';
import { assertKnown } from './known-job.ts';
import { noHistory } from './past.ts';
import { withPast, type PastSource } from './past-source.ts';
import { lengthOf } from '../schedule/run-length.ts';
import type { Session } from './session.ts';
import { counted } from './sizes.ts';
import { stateDirectory } from './state-directory.ts';
import { momentOf } from './zones.ts';

export interface HistoryOptions {
  readonly file?: string;
  readonly stateDir?: string;
  readonly last?: Duration;
  readonly since?: string;
  readonly until?: string;
  readonly status?: readonly Status[];
  readonly limit: number;
  readonly shards?: boolean;
  readonly tz?: string;
  readonly json?: boolean;
}

/** What was: the newest runs and skips of one job, or of all. */
export async function history(
  id: JobId | undefined,
  options: HistoryOptions,
  session: Session,
): Promise<void> {
  const state = stateDirectory(options.stateDir, session.environment);
  await withPast(state, session, async (past) => {
    if (id !== undefined) await assertKnown(id, { past, file: options.file, session });
    const ofJob = id === undefined ? undefined : await past?.zone(id);
    const query = queryOf(id, options, { zone: options.tz ?? ofJob ?? session.hostTimezone, session });
    const rows = (await past?.rows(query)) ?? [];
    if (options.json === true) {
      session.out(`${printableJson({ runs: rows.map((row) => row.shape()) })}\n`);
      return;
    }
    if (past === undefined) session.out(`${noHistory(state)}\n`);
    else if (rows.length === 0) session.out(`${await nothing(id, options, past)}\n`);
    else {
      const told = rows.map(({ row }) => row);
      const zones = await zonesOf(told, options, past);
      session.out(shown(told, { past, zones, state, id, options, session }));
    }
  });
}

function queryOf(
  id: JobId | undefined,
  options: HistoryOptions,
  { zone, session }: { readonly zone: string; readonly session: Session },
): RowQuery {
  const at = (name: string, text: string | undefined): Instant | undefined =>
    text === undefined ? undefined : momentOf(text, zone, name);
  const since = options.last === undefined ? at('--since', options.since) : session.now - options.last;
  const until = at('--until', options.until);
  return {
    limit: options.limit,
    ...(id === undefined ? {} : { jobId: id }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(options.status === undefined ? {} : { statuses: options.status }),
  };
}

/** In which times are shown, where none is named for all of them. */
async function zonesOf(
  rows: readonly HistoryRow[],
  { tz }: HistoryOptions,
  past: PastSource,
): Promise<ReadonlyMap<JobId, string | undefined>> {
  const ids = new Set(rows.map((row) => ('run' in row ? row.run : row.skip).jobId));
  const zones = new Map<JobId, string | undefined>();
  for (const id of tz === undefined ? ids : []) zones.set(id, await past.zone(id));
  return zones;
}

async function nothing(id: JobId | undefined, options: HistoryOptions, past: PastSource): Promise<string> {
  const { last, since, until, status } = options;
  const isNarrowed = [last, since, until, status].some((option) => option !== undefined);
  if (isNarrowed) return 'Nothing in the history is so.';
  const known = id !== undefined && (await past.isLoaded(id));
  const of = id === undefined ? '' : ` of ${printable(id)}`;
  return `No history yet${of}: ${known ? 'none of its slots has come' : 'no daemon has run it'}.`;
}

interface View {
  readonly past: PastSource;
  readonly zones: ReadonlyMap<JobId, string | undefined>;
  readonly state: string;
  readonly id: JobId | undefined;
  readonly options: HistoryOptions;
  readonly session: Session;
}

function shown(rows: readonly HistoryRow[], view: View): string {
  const { past, zones, state, id, options, session } = view;
  const table = new HistoryTable({
    past,
    zones,
    state,
    session,
    ofOneJob: id !== undefined,
    timezone: options.tz,
    allShards: options.shards === true,
  });
  const paint = session.painter('out');
  const runs = rows.flatMap((row) => ('run' in row ? [row.run] : []));
  const told = runs.find(({ outcome }) => outcome !== undefined && outcome.kind !== 'succeeded') ?? runs[0];
  const hint = told === undefined ? '' : `  tsched logs ${table.shortId(told.id)}`;
  const more = rows.length === options.limit ? `  The newest ${options.limit}: more with --limit.` : '';
  return `${table.render(rows)}${paint('dim', `\n${summary(rows)}${more}${hint}\n`)}`;
}

/** `3 runs: 2 ok, 1 failed; 1 skip.  p50 12m22s  p95 44m00s` */
function summary(rows: readonly HistoryRow[]): string {
  const runs = rows.flatMap((row) => ('run' in row ? [row.run] : []));
  const count = (kind: (outcome: string) => boolean): number =>
    runs.filter(({ outcome }) => kind(outcome?.kind ?? 'active')).length;
  const ok = count((kind) => kind === 'succeeded');
  const cancelled = count((kind) => kind === 'cancelled');
  const active = count((kind) => kind === 'active');
  const failed = runs.length - ok - cancelled - active;
  const parts = [
    [ok, 'ok'],
    [failed, 'failed'],
    [cancelled, 'cancelled'],
    [active, 'active'],
  ].flatMap(([number, word]) => (number === 0 ? [] : [`${number} ${word}`]));
  const skips = rows.length - runs.length;
  const told = [
    ...(runs.length > 0 ? [`${counted(runs.length, 'run')}: ${parts.join(', ')}`] : []),
    ...(skips > 0 ? [counted(skips, 'skip')] : []),
  ];
  return `${told.join('; ')}.${spread(runs.flatMap((run) => lengthOf(run) ?? []))}`;
}

function spread(lengths: readonly Duration[]): string {
  if (lengths.length < 2) return '';
  const sorted = [...lengths].sort((a, b) => a - b);
  const at = (share: number): string => elapsed(sorted[Math.ceil(share * sorted.length) - 1] ?? 0);
  return `  p50 ${at(0.5)}  p95 ${at(0.95)}`;
}
