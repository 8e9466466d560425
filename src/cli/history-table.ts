/** The history as a table for people. */
import type { HistoryRow } from '../engine/ports.ts';
import type {
  AttemptRecord,
  Cause,
  Instant,
  JobId,
  RunId,
  RunRecord,
  ShardRecord,
  SkipRecord,
} from '../model.ts';
import { elapsed, printable } from '../observe/text.ts';
import { firstIdAt } from '../store/rows.ts';
import { outputSize, outputSizeOf } from './past.ts';
import { attemptCell, resultCell } from './results.ts';
import { shardRun } from '../schedule/joint.ts';
import { shardName } from '../shard.ts';
import { begunAt, hasBegun, lengthOf } from '../schedule/run-length.ts';
import type { Session } from './session.ts';
import type { PastSource } from './past-source.ts';
import { sizeInWords } from './sizes.ts';
import { table, type Cell } from './table.ts';
import { dayTime } from '../observe/when.ts';

/** Characters of a run's id that are shown at least. */
const SHORTEST_ID = 8;

export const causeWords: Record<Cause, string> = {
  schedule: 'schedule',
  catch_up: 'catch-up',
  manual: 'manual',
  retry: 'retry',
  dependency: 'dependency',
  replay: 'replay',
};

export interface TableOptions {
  readonly past: Pick<PastSource, 'uniqueLength'>;
  /** Of jobs, as far as they are known. */
  readonly zones: ReadonlyMap<JobId, string | undefined>;
  readonly state: string;
  readonly session: Session;
  readonly ofOneJob: boolean;
  /** Else those that did not succeed. */
  readonly allShards: boolean;
  /** Of all times shown, else each in its job's zone. */
  readonly timezone: string | undefined;
}

export class HistoryTable {
  readonly #options: TableOptions;
  /** Whether runs had nodes of a cluster. */
  #hasNodes = false;

  constructor(options: TableOptions) {
    this.#options = options;
  }

  render(rows: readonly HistoryRow[]): string {
    const { ofOneJob, session } = this.#options;
    this.#hasNodes = rows.some((row) => 'run' in row && nodeOf(row.run) !== '');
    const heading = [
      'RUN',
      ...(ofOneJob ? [] : ['JOB']),
      'SCHEDULED',
      'START',
      'DURATION',
      'ATT',
      'RESULT',
      'CAUSE',
      ...(this.#hasNodes ? ['NODE'] : []),
      'OUTPUT',
    ];
    const lines = rows.flatMap((row) => ('run' in row ? this.#run(row.run) : [this.#skip(row.skip)]));
    return table(heading, lines, session.painter('out'));
  }

  /** The beginning of the id that no other run has, nor will have: ids to come begin with a time not before now. */
  shortId(id: RunId): string {
    const { past, session } = this.#options;
    const next = firstIdAt(session.now);
    let length = 0;
    while (length < next.length && id[length] === next[length]) length += 1;
    const least = Math.max(SHORTEST_ID, past.uniqueLength(id), length + 1);
    return id.slice(0, id[least - 1] === '-' ? least + 1 : least);
  }

  #run(run: RunRecord): Cell[][] {
    const { attempts, scheduledAt, shards = [] } = run;
    const { state, session } = this.#options;
    const begun = attempts.filter(hasBegun);
    const size = outputSizeOf(state, run);
    const whole: Cell[] = [
      { text: this.shortId(run.id), style: 'bold' },
      ...this.#job(run.jobId),
      { text: this.#time(scheduledAt, run.jobId) },
      { text: delay(begunAt(run), scheduledAt) },
      this.#length(run, begunAt(run)),
      { text: begun.length === 0 ? '' : String(begun.length) },
      resultCell(run, session.now),
      { text: causeWords[run.cause], style: 'dim' },
      ...this.#node(nodeOf(run)),
      { text: size === undefined ? '' : sizeInWords(size) },
    ];
    if (shards.length > 0) {
      const isTold = ({ outcome }: ShardRecord): boolean => outcome?.kind !== 'succeeded';
      const told = this.#options.allShards ? shards : shards.filter(isTold);
      return [whole, ...told.map((shard) => this.#shard(shard, run, shard === told.at(-1)))];
    }
    return begun.length < 2
      ? [whole]
      : [whole, ...begun.map((attempt) => this.#attempt(attempt, run, attempt === begun.at(-1)))];
  }

  /** So far, while it is not over. */
  #length(run: RunRecord, first: Instant | undefined): Cell {
    if (run.outcome !== undefined || first === undefined) return { text: length(lengthOf(run)) };
    return { text: length(Math.max(0, this.#options.session.now - first)), style: 'cyan' };
  }

  #attempt(attempt: AttemptRecord, run: RunRecord, isLast: boolean): Cell[] {
    const { number, duration } = attempt;
    const size = outputSize(this.#options.state, run.id, number);
    return [
      { text: '' },
      ...this.#job(undefined),
      { text: `  ${isLast ? '└' : '├'} attempt ${number}`, style: 'dim' },
      { text: delay(attempt.startedAt, run.scheduledAt) },
      { text: length(duration) },
      { text: '' },
      attemptCell(attempt),
      { text: '' },
      ...this.#node(attempt.node ?? ''),
      { text: size === undefined ? '' : sizeInWords(size) },
    ];
  }

  #shard(shard: ShardRecord, run: RunRecord, isLast: boolean): Cell[] {
    const { state, session } = this.#options;
    const part = shardRun(run, shard.index) ?? run;
    const begun = shard.attempts.filter(hasBegun);
    const size = outputSize(state, part.id);
    return [
      { text: '' },
      ...this.#job(undefined),
      { text: printable(`  ${isLast ? '└' : '├'} shard ${shardName(shard)}`), style: 'dim' },
      { text: delay(begun[0]?.startedAt, run.scheduledAt) },
      this.#length(part, begun[0]?.startedAt),
      { text: begun.length === 0 ? '' : String(begun.length) },
      resultCell(part, session.now),
      { text: '' },
      ...this.#node(nodeOf(part)),
      { text: size === undefined ? '' : sizeInWords(size) },
    ];
  }

  #skip({ jobId, scheduledAt, through, count, reason, detail }: SkipRecord): Cell[] {
    const many = through === scheduledAt ? '' : ` … ${this.#time(through, jobId)}`;
    const slots = through === scheduledAt ? '' : ` (${count ?? 'many'} slots)`;
    return [
      { text: '-', style: 'dim' },
      ...this.#job(jobId),
      { text: `${this.#time(scheduledAt, jobId)}${many}` },
      { text: '' },
      { text: '' },
      { text: '' },
      {
        text: `skipped: ${reason}${detail === undefined ? '' : ` ${printable(detail)}`}${slots}`,
        style: 'yellow',
      },
    ];
  }

  #node(name: string): Cell[] {
    return this.#hasNodes ? [{ text: printable(name), style: 'dim' }] : [];
  }

  #job(id: JobId | undefined): Cell[] {
    return this.#options.ofOneJob ? [] : [{ text: printable(id ?? '') }];
  }

  #time(at: Instant, jobId: JobId): string {
    const { zones, session, timezone } = this.#options;
    const zone = timezone ?? zones.get(jobId) ?? session.hostTimezone;
    return dayTime(at, zone, session.now);
  }
}

/** The nodes that had its attempts, or those of its parts. */
function nodeOf({ attempts, shards = [] }: RunRecord): string {
  const all = [attempts, ...shards.map((shard) => shard.attempts)].flat();
  return [...new Set(all.flatMap(({ node }) => node ?? []))].join(', ');
}

function delay(begun: Instant | undefined, scheduledAt: Instant): string {
  return begun === undefined ? '' : `+${elapsed(Math.max(0, begun - scheduledAt))}`;
}

function length(duration: number | undefined): string {
  return duration === undefined ? '' : elapsed(duration);
}
