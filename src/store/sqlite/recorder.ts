/** Writes batches: each whole, in one transaction, or not at all. Writing one again changes nothing. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { Join } from '../../join.ts';
import type { JobId, Place, RunRecord, SkipRecord } from '../../model.ts';
import { REPLAYS_KEPT } from '../../replay.ts';
import { isForSlot, type BatchData, type ReplayChange } from '../batch.ts';
import { MOST_REQUESTS, REQUEST_MEMORY } from '../requests.ts';

export class Recorder {
  readonly #db: DatabaseSync;
  readonly #numbers = new Map<JobId, number>();
  readonly #statements = new Map<string, StatementSync>();
  /** Jobs first seen in the batch under way. */
  #fresh: JobId[] = [];
  #synchronous: 'FULL' | 'NORMAL' | undefined;

  constructor(db: DatabaseSync) {
    this.#db = db;
    for (const { id, number } of db.prepare('SELECT id, number FROM jobs').iterate()) {
      this.#numbers.set(id as string, number as number);
    }
  }

  /**
   * Records a batch. One boolean for each claim, as `Store.claim` has it.
   * @throws what SQLite says; then nothing of the batch is recorded
   */
  record(batch: BatchData): boolean[] {
    this.#sync(batch.urgent ? 'FULL' : 'NORMAL');
    this.#fresh = [];
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const won = this.#write(batch);
      this.#db.exec('COMMIT');
      return won;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      for (const id of this.#fresh) this.#numbers.delete(id);
      throw error;
    }
  }

  /** A commit that is not synchronised costs a fifteenth; a power cut may undo it, as if the daemon had died a moment earlier. */
  #sync(mode: 'FULL' | 'NORMAL'): void {
    if (this.#synchronous === mode) return;
    this.#db.exec(`PRAGMA synchronous = ${mode}`);
    this.#synchronous = mode;
  }

  #write(batch: BatchData): boolean[] {
    const { claims, saves, skips, undecided, placed, gone, pauses, added, joins } = batch;
    const decided = new Map<JobId, number>();
    const succeeded = new Map<JobId, number>();
    const waiting = new Map(undecided);
    const won = claims.map((run) => {
      if (isForSlot(run)) advance(decided, run.jobId, run.scheduledAt);
      const isWon = this.#claim(run);
      if (isWon && run.outcome?.kind === 'succeeded') advance(succeeded, run.jobId, run.scheduledAt);
      return isWon;
    });
    for (const run of saves) {
      this.#save(run);
      if (run.outcome?.kind === 'succeeded') advance(succeeded, run.jobId, run.scheduledAt);
    }
    for (const skip of skips) {
      this.#skip(skip);
      advance(decided, skip.jobId, skip.through);
    }
    for (const id of gone) this.#run('UPDATE jobs SET schedule = NULL, decided_to = NULL WHERE id = ?', id);
    for (const [id, place] of placed) this.#place(id, place);
    for (const id of new Set([...decided.keys(), ...succeeded.keys()])) {
      const newest = decided.get(id);
      const to = newest === undefined ? null : Math.min(newest, (waiting.get(id) ?? Infinity) - 1);
      this.#run(ADVANCE, to, succeeded.get(id) ?? null, this.#job(id));
    }
    for (const [id, pause] of pauses) {
      if (pause === null) this.#run('DELETE FROM pauses WHERE job_id = ?', id);
      else this.#run(PAUSE, id, pause.since, pause.until ?? null, pause.reason ?? null);
    }
    for (const [id, job] of added) {
      if (job === null) this.#run('DELETE FROM added_jobs WHERE id = ?', id);
      else this.#run(ADDED, id, job.document, job.directory, job.addedAt);
    }
    this.#remember(batch.requests);
    for (const join of joins) this.#join(join);
    this.#tell(batch);
    for (const change of batch.replays) this.#replay(change);
    return won;
  }

  #remember(requests: BatchData['requests']): void {
    const last = requests.at(-1);
    if (last === undefined) return;
    for (const { key, what, runId, at } of requests) this.#run(REQUEST, key, what, runId, at);
    this.#run('DELETE FROM requests WHERE at < ?', last.at - REQUEST_MEMORY);
    this.#run('DELETE FROM requests WHERE number <= (SELECT max(number) FROM requests) - ?', MOST_REQUESTS);
  }

  #join(join: Join): void {
    const { jobId, scheduledAt } = join;
    if (join.state === 'over')
      this.#run('DELETE FROM joins WHERE job_id = ? AND scheduled_at = ?', jobId, scheduledAt);
    else this.#run('INSERT OR REPLACE INTO joins VALUES (?, ?, ?)', jobId, scheduledAt, JSON.stringify(join));
  }

  #tell({ messages, settled, told }: BatchData): void {
    for (const message of messages)
      this.#run('INSERT OR REPLACE INTO messages VALUES (?, ?)', message.id, JSON.stringify(message));
    for (const id of settled) this.#run('DELETE FROM messages WHERE id = ?', id);
    for (const [id, known] of told) {
      if (known === null) this.#run('DELETE FROM told WHERE job_id = ?', id);
      else this.#run('INSERT OR REPLACE INTO told VALUES (?, ?)', id, JSON.stringify(known));
    }
  }

  #replay({ replay, slots }: ReplayChange): void {
    const { id, state } = replay;
    // What is over needs them no more.
    const listed = JSON.stringify(state === 'active' ? slots : []);
    if (slots === undefined) {
      this.#run(REPLAY, JSON.stringify(replay), state === 'active' ? null : listed, id);
      return;
    }
    this.#run('INSERT OR REPLACE INTO replays VALUES (?, ?, ?)', id, JSON.stringify(replay), listed);
    this.#run(FORGET_REPLAYS);
  }

  #claim(run: RunRecord): boolean {
    const job = this.#job(run.jobId);
    if (!isForSlot(run)) return this.#claimBeside(run, job);
    if (this.#insert(run, job, 0)) return true;
    return this.#again(run);
  }

  /** It may be there because this batch was recorded before, and only the answer was lost. Meanwhile the run may have got further. */
  #again(run: RunRecord): boolean {
    return this.#run(UPDATE, ...changing(run), run.id) > 0;
  }

  /** Beside whatever else there is of that instant; of a replay, only if it has none there yet. */
  #claimBeside(run: RunRecord, job: number): boolean {
    const next = this.#get(run.replay === undefined ? NEXT_BY_HAND : NEXT_REPLAYED, job, run.scheduledAt);
    return this.#insert(run, job, Number(next?.['next'] ?? 1)) || this.#again(run);
  }

  #insert(run: RunRecord, job: number, manual: number): boolean {
    const { id, scheduledAt, cause, claimedAt } = run;
    const documents = [run.with, run.upstream, run.pool, run.waited].map((each) =>
      each === undefined ? null : JSON.stringify(each),
    );
    const fixed = [id, job, scheduledAt, manual, cause, claimedAt, run.replay ?? null, ...documents];
    return this.#run(INSERT, ...fixed, ...changing(run)) > 0;
  }

  #save(run: RunRecord): void {
    // A run of a history that was lost meanwhile comes back whole.
    if (this.#run(UPDATE, ...changing(run), run.id) === 0) this.#claim(run);
  }

  #skip({ jobId, scheduledAt, through, count, reason, detail, at }: SkipRecord): void {
    const job = this.#job(jobId);
    this.#run(SKIP, job, scheduledAt, through, count ?? null, reason, at, detail ?? null);
  }

  #place(id: JobId, { schedule, from }: Place): void {
    this.#run('UPDATE jobs SET schedule = ?, decided_to = ? WHERE number = ?', schedule, from, this.#job(id));
  }

  #job(id: JobId): number {
    const known = this.#numbers.get(id);
    if (known !== undefined) return known;
    this.#run('INSERT OR IGNORE INTO jobs (id) VALUES (?)', id);
    const number = Number(this.#get('SELECT number FROM jobs WHERE id = ?', id)?.['number']);
    this.#numbers.set(id, number);
    this.#fresh.push(id);
    return number;
  }

  #run(sql: string, ...values: readonly SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  #get(sql: string, ...values: readonly SQLInputValue[]) {
    return this.#statement(sql).get(...values);
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#db.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }
}

const INSERT = `INSERT OR IGNORE INTO runs
  (id, job, scheduled_at, manual, cause, claimed_at, replay, arguments, upstream, pool, waited, state, attempts, retry_at, finished_at, outcome, shards)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const UPDATE =
  'UPDATE runs SET state = ?, attempts = ?, retry_at = ?, finished_at = ?, outcome = ?, shards = ? WHERE id = ?';
/** Forward only, and nothing is written where nothing moves. NULL says nothing; a job without a place does not get one. */
const ADVANCE = `UPDATE jobs
  SET decided_to = CASE WHEN decided_to < ?1 THEN ?1 ELSE decided_to END,
      last_success = CASE WHEN coalesce(last_success < ?2, ?2 IS NOT NULL) THEN ?2 ELSE last_success END
  WHERE number = ?3 AND (decided_to < ?1 OR coalesce(last_success < ?2, ?2 IS NOT NULL))`;
const SKIP = `INSERT INTO skips (job, scheduled_at, through, count, reason, at, detail)
  SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
  WHERE NOT EXISTS (SELECT 1 FROM skips WHERE job = ?1 AND scheduled_at = ?2 AND through = ?3 AND reason = ?5 AND at = ?6)`;
const PAUSE = 'INSERT OR REPLACE INTO pauses (job_id, since, until, reason) VALUES (?, ?, ?, ?)';
const REQUEST = 'INSERT OR REPLACE INTO requests (key, what, run, at) VALUES (?, ?, ?, ?)';
const NEXT_BY_HAND =
  'SELECT coalesce(max(manual), 0) + 1 AS next FROM runs WHERE job = ? AND scheduled_at = ? AND manual >= 0';
const NEXT_REPLAYED =
  'SELECT coalesce(min(manual), 0) - 1 AS next FROM runs WHERE job = ? AND scheduled_at = ? AND manual < 0';
const REPLAY = 'UPDATE replays SET replay = ?, slots = coalesce(?, slots) WHERE id = ?';
const FORGET_REPLAYS = `DELETE FROM replays WHERE id IN (
  SELECT id FROM replays WHERE replay ->> 'state' <> 'active' ORDER BY id DESC LIMIT -1 OFFSET ${REPLAYS_KEPT})`;
const ADDED = 'INSERT OR REPLACE INTO added_jobs (id, document, directory, added_at) VALUES (?, ?, ?, ?)';

function advance(decided: Map<JobId, number>, id: JobId, to: number): void {
  if (to > (decided.get(id) ?? Number.NEGATIVE_INFINITY)) decided.set(id, to);
}

/** The columns that change in a run's life, in the order of `state, attempts, retry_at, finished_at, outcome, shards`. */
function changing({ state, attempts, retryAt, finishedAt, outcome, shards }: RunRecord): SQLInputValue[] {
  return [
    state,
    JSON.stringify(attempts),
    retryAt ?? null,
    finishedAt ?? null,
    outcome === undefined ? null : JSON.stringify(outcome),
    shards === undefined ? null : JSON.stringify(shards),
  ];
}
