/** Past slots that become runs: has the daemon begin a replay, tells what it would do, shows those there are, cancels one. */
import type { Instant } from '../model.ts';
import type { Replay } from '../replay.ts';
import { printable, printableJson } from '../observe/text.ts';
import { ago, localDateTime, rfc3339 } from '../observe/when.ts';
import { Client, type ClientOptions } from './client.ts';
import { exit, Failure } from './exit.ts';
import type { Session } from './session.ts';
import { table, type Cell } from './table.ts';
import type { ToldJob } from './told.ts';
import { momentOf } from './zones.ts';

export interface ReplayOptions extends ClientOptions {
  /** As people write them: local to the job where they have no offset. */
  readonly from?: string;
  readonly to?: string;
  readonly order: Replay['order'];
  readonly missingOnly?: boolean;
  readonly parallel: number;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly list?: boolean;
  /** A replay, by its id or the beginning of it. */
  readonly cancel?: string;
  readonly json?: boolean;
}

/** The shapes of src/http/shapes.ts. */
type Told = Omit<Replay, 'from' | 'to' | 'askedAt' | 'endedAt'> & {
  readonly from: string;
  readonly to: string;
  readonly askedAt: string;
  readonly endedAt: string | null;
};
type ToldView = Told & { readonly waitsFor: 'not_loaded' | 'paused' | 'turn' | null };
interface ToldPlan {
  readonly jobId: string;
  readonly total: number;
  readonly slots: readonly string[];
}

interface Around {
  readonly client: Client;
  readonly options: ReplayOptions;
  readonly session: Session;
}

/** Gives the exit code. */
export async function replay(
  id: string | undefined,
  options: ReplayOptions,
  session: Session,
): Promise<number> {
  const around = { client: new Client(options, session), options, session };
  if (options.list === true) return list(around);
  if (options.cancel !== undefined) return cancel(options.cancel, around);
  if (id === undefined || options.from === undefined) {
    const hint = 'tsched replay backup --from 2027-01-01 --to 2027-03-31; or --list, or --cancel <replay>';
    throw new Failure(exit.usage, 'nothing says which slots are to be replayed', hint);
  }
  return begin(id, options.from, around);
}

async function begin(id: string, from: string, { client, options, session }: Around): Promise<number> {
  const job = await client.get<ToldJob>(`/jobs/${encodeURIComponent(id)}`);
  const { timezone } = job;
  const body = {
    job: id,
    from: rfc3339(momentOf(from, timezone, '--from')),
    ...(options.to === undefined ? {} : { to: rfc3339(endOf(options.to, timezone)) }),
    order: options.order,
    missing_only: options.missingOnly === true,
    parallel: options.parallel,
    dry_run: options.dryRun === true,
  };
  if (options.dryRun === true) {
    const plan = await client.post<ToldPlan>('/replays', body);
    session.out(options.json === true ? `${printableJson(plan)}\n` : planInWords(plan, job, session));
    return exit.ok;
  }
  // Open before it begins: its end may come at once.
  const events =
    options.wait === true ? await client.events(`/events?job=${encodeURIComponent(id)}`) : undefined;
  const begun = await client.post<Told>('/replays', body);
  const hint = session.painter('out')('dim', 'tsched replay --list');
  if (options.json !== true)
    session.out(`replay ${begun.id} of ${printable(id)} has begun: ${slotsInWords(begun.total)}   ${hint}\n`);
  if (events === undefined) {
    if (options.json === true) session.out(`${printableJson(begun)}\n`);
    return exit.ok;
  }
  for await (const { name, data } of events) {
    const { replay: ended } = data as { readonly replay?: Told };
    if (name === 'replay_ended' && ended?.id === begun.id) return tellEnd(ended, options, session);
  }
  throw client.gone('what becomes of the replay: tsched replay --list');
}

/** A day alone is meant with all of its slots. */
function endOf(text: string, timezone: string): Instant {
  const [, year = '', month = '', day = ''] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text.trim()) ?? [];
  if (year === '') return momentOf(text, timezone, '--to');
  momentOf(text, timezone, '--to');
  const next = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day) + 1));
  return momentOf(next.toISOString().slice(0, 10), timezone, '--to') - 1;
}

function planInWords({ jobId, total, slots }: ToldPlan, { timezone }: ToldJob, session: Session): string {
  const lines = slots.map((slot) => `  ${localDateTime(Date.parse(slot), timezone)}\n`);
  const shown = lines.length > 20 ? [...lines.slice(0, 10), '  …\n', ...lines.slice(-5)] : lines;
  const head = `${printable(jobId)} would run ${slotsInWords(total)} again, in this order   ${timezone}\n`;
  return `${head}${shown.join('')}${session.painter('out')('dim', 'Nothing was begun.')}\n`;
}

function tellEnd(ended: Told, { json }: ReplayOptions, session: Session): number {
  if (json === true) session.out(`${printableJson(ended)}\n`);
  else session.out(`replay ${ended.id} is ${stateInWords({ ...ended, waitsFor: null })}\n`);
  return ended.state === 'finished' && ended.failed === 0 ? exit.ok : exit.no;
}

async function list({ client, options, session }: Around): Promise<number> {
  const told = await client.get<{ readonly replays: readonly ToldView[] }>('/replays');
  if (options.json === true) session.out(`${printableJson(told)}\n`);
  else if (told.replays.length === 0) session.out('there are no replays\n');
  else {
    const rows = told.replays.map((each) => rowOf(each, session));
    session.out(
      table(['REPLAY', 'JOB', 'ASKED', 'SLOTS', 'DONE', 'FAILED', 'STATE'], rows, session.painter('out')),
    );
  }
  return exit.ok;
}

function rowOf(told: ToldView, { now }: Session): Cell[] {
  const { id, jobId, askedAt, total, succeeded, failed, state } = told;
  const style = state === 'active' ? 'cyan' : state === 'cancelled' ? 'yellow' : failed > 0 ? 'red' : 'green';
  return [
    { text: id, style: 'bold' },
    { text: printable(jobId) },
    { text: ago(Date.parse(askedAt), now) },
    { text: String(total) },
    { text: String(succeeded + failed) },
    { text: String(failed) },
    { text: stateInWords(told), style },
  ];
}

const waits = {
  not_loaded: 'waits: the job is not loaded',
  paused: 'waits: the job is paused',
  turn: 'active',
} as const;

function stateInWords({ state, total, begun, succeeded, failed, waitsFor }: ToldView): string {
  if (state === 'cancelled') return `cancelled after ${begun} of ${slotsInWords(total)}`;
  if (state === 'active') return waitsFor === null ? 'active' : waits[waitsFor];
  return failed === 0 ? `over: ${succeeded} succeeded` : `over: ${succeeded} succeeded, ${failed} did not`;
}

async function cancel(name: string, { client, options, session }: Around): Promise<number> {
  const path = `/replays/${encodeURIComponent(name)}`;
  const told = await client.call<Told>(path, { method: 'DELETE' });
  const text = `replay ${told.id} of ${printable(told.jobId)} is ${stateInWords({ ...told, waitsFor: null })}`;
  session.out(`${options.json === true ? printableJson(told) : text}\n`);
  return exit.ok;
}

function slotsInWords(count: number): string {
  return count === 1 ? '1 slot' : `${count} slots`;
}
