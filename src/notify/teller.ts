/**
 * Watches what becomes of jobs and has those told who asked for it: decides by the pure functions of schedule/, keeps what follows
 * in the store, and hands messages to whoever delivers them once they are kept. Costs nothing for jobs that tell nobody.
 */
import type { Clock, EngineEvent, Observer, Store } from '../engine/ports.ts';
import type { Message, NoticeMessage, Told } from '../message.ts';
import type { JobDefinition, JobId, PingPolicy, RunRecord } from '../model.ts';
import { tell, untold, type Happening } from '../schedule/tell.ts';
import { Lookout, type Late } from './lookout.ts';

export interface TellerOptions {
  readonly clock: Clock;
  readonly store: Pick<Store, 'messages' | 'told' | 'pauses' | 'post' | 'previousSuccess'>;
  /** A new UUIDv7. */
  readonly newId: () => string;
  /** Takes over messages that are kept. */
  readonly deliver: (messages: readonly Message[]) => void;
  readonly storeFailed: (error: unknown) => void;
}

/** What a message is about. */
type About = Pick<NoticeMessage, 'run' | 'skip' | 'late'>;

/** What of `Told` a later daemon must know; the rest it can find out, or do without. */
const LASTING = ['since', 'failures', 'failingSince', 'failureTold', 'late', 'missedAt'] as const;

export class Teller implements Observer {
  readonly #options: TellerOptions;
  readonly #lookout: Lookout;
  /** Loaded jobs that tell somebody. */
  #jobs: ReadonlyMap<JobId, JobDefinition> = new Map();
  readonly #told = new Map<JobId, Told>();

  constructor(options: TellerOptions) {
    this.#options = options;
    const { clock } = options;
    this.#lookout = new Lookout({
      clock,
      toldOf: (jobId) => this.#told.get(jobId) ?? untold(clock.now()),
      onLate: (job, late) => this.#late(job, late),
    });
  }

  /** Takes up what an earlier daemon left. To be called before the engine starts: what it recovers is news too. */
  async start(jobs: readonly JobDefinition[]): Promise<void> {
    const { store, deliver } = this.#options;
    const [messages, told, pauses] = await Promise.all([store.messages(), store.told(), store.pauses()]);
    for (const [id, known] of told) this.#told.set(id, { ...known, ...this.#successOf(id, known) });
    for (const [id, pause] of pauses) this.#lookout.pause(id, pause);
    this.#load(jobs, () => false);
    deliver(messages);
  }

  /** Another set of jobs, from now on. */
  load(jobs: readonly JobDefinition[]): void {
    const before = this.#jobs;
    this.#load(jobs, (id) => before.get(id)?.telling?.expect === undefined);
  }

  observe(event: EngineEvent): void {
    const { kind } = event;
    // Who asked for a replay watches it; a past slot that fails, or does not, says nothing of how the job is.
    if ('run' in event && event.run.replay !== undefined) return;
    if (kind === 'attempt_started' && event.attempt === 1) this.#began(event.run);
    else if (kind === 'run_recovered') this.#lookout.began(event.run);
    else if (kind === 'run_finished') this.#finished(event.run, event.definition);
    else if (kind === 'job_paused') this.#lookout.pause(event.jobId, event.pause);
    else if (kind === 'job_resumed') this.#resumed(event.jobId);
    else if (kind === 'slots_skipped') {
      const { skip } = event;
      this.#happened(
        this.#jobs.get(skip.jobId),
        { kind: 'skipped', reason: skip.reason },
        { about: { skip } },
      );
    }
  }

  /** The check of a job, as it is defined now. */
  pingOf(jobId: JobId): PingPolicy | undefined {
    return this.#jobs.get(jobId)?.telling?.ping;
  }

  close(): void {
    this.#lookout.close();
  }

  /** What is expected of a job counts from now where `isNew` says so. */
  #load(jobs: readonly JobDefinition[], isNew: (id: JobId) => boolean): void {
    const telling = jobs.filter((job) => job.telling !== undefined);
    this.#jobs = new Map(telling.map((job) => [job.id, job]));
    const expected = telling.filter((job) => job.telling?.expect !== undefined);
    const since = this.#options.clock.now();
    const changes = new Map<JobId, Told | null>();
    for (const id of this.#told.keys()) if (!this.#jobs.has(id)) changes.set(id, null);
    for (const { id } of expected) {
      const known = this.#told.get(id);
      if (known === undefined || isNew(id)) changes.set(id, { ...(known ?? untold(since)), since });
    }
    this.#keep(changes, []);
    this.#lookout.load(expected);
  }

  #began(run: RunRecord): void {
    this.#lookout.began(run);
    // Not kept: a start that is told too late would be taken for another.
    if (this.pingOf(run.jobId)?.start === true) this.#options.deliver([this.#ping(run)]);
  }

  #finished(run: RunRecord, definition: JobDefinition): void {
    this.#lookout.ended(run);
    const { outcome, scheduledAt: slot, claimedAt: begun } = run;
    const job = this.#jobs.get(run.jobId) ?? definition;
    if (job.telling === undefined || outcome === undefined) return;
    const pings = job.telling.ping === undefined ? [] : [this.#ping(run)];
    this.#happened(job, { kind: 'finished', outcome, slot, begun }, { about: { run }, pings });
  }

  #late(job: JobDefinition, { what, since, run }: Late): void {
    const expect = job.telling?.expect ?? {};
    this.#happened(
      job,
      { kind: 'late', what },
      { about: { late: { what, since, expect }, ...(run && { run }) } },
    );
  }

  #resumed(jobId: JobId): void {
    const known = this.#told.get(jobId);
    if (known !== undefined)
      this.#keep(new Map([[jobId, { ...known, since: this.#options.clock.now() }]]), []);
    this.#lookout.pause(jobId, undefined);
  }

  #happened(
    job: JobDefinition | undefined,
    happening: Happening,
    { about, pings = [] }: { readonly about: About; readonly pings?: readonly Message[] },
  ): void {
    if (job?.telling === undefined) return;
    const now = this.#options.clock.now();
    const known = this.#told.get(job.id) ?? untold(now);
    const { words, told } = tell({ notify: job.telling.notify, told: known }, happening, now);
    const { failures, failingSince } = told.failures > 0 ? told : known;
    const part = { ...about, failures, ...(failingSince === undefined ? {} : { failingSince }) };
    const messages = words.flatMap(({ notice, to }) =>
      to.map((name) => this.#message(job, { to: name, notice, at: now, ...part })),
    );
    this.#remember(job, { known, told }, [...messages, ...pings]);
  }

  #message(
    { id, description, schedule }: JobDefinition,
    part: Omit<NoticeMessage, 'kind' | 'id' | 'jobId' | 'timezone' | 'description'>,
  ): Message {
    return {
      kind: 'notice',
      id: this.#options.newId(),
      jobId: id,
      timezone: schedule.timezone,
      ...(description === undefined ? {} : { description }),
      ...part,
    };
  }

  /** Of a job that has left, nothing is kept. Most runs succeed, as the ones before them did: of those neither. */
  #remember(
    { id, telling }: JobDefinition,
    change: { known: Told; told: Told },
    messages: readonly Message[],
  ): void {
    const { known, told } = change;
    const isLoaded = this.#jobs.has(id);
    const isWorth =
      LASTING.some((key) => told[key] !== known[key]) ||
      (telling?.expect?.every !== undefined && told.succeededAt !== known.succeededAt);
    if (isLoaded) this.#told.set(id, told);
    this.#keep(isLoaded && isWorth ? new Map([[id, told]]) : new Map<JobId, Told>(), messages);
    if (telling?.expect !== undefined) this.#lookout.look(id);
  }

  /** In the same turn of the loop as the engine saves the run: so they are recorded together, or not at all. */
  #keep(changes: ReadonlyMap<JobId, Told | null>, messages: readonly Message[]): void {
    for (const [id, told] of changes) {
      if (told === null) this.#told.delete(id);
      else this.#told.set(id, told);
    }
    if (changes.size + messages.length === 0) return;
    const { store, deliver, storeFailed } = this.#options;
    store
      .post({ messages, told: changes })
      .catch((error: unknown) => storeFailed(error))
      .then(() => deliver(messages))
      .catch((error: unknown) => storeFailed(error));
  }

  #ping(run: RunRecord): Message {
    const { newId, clock } = this.#options;
    return { kind: 'ping', id: newId(), jobId: run.jobId, at: clock.now(), run };
  }

  /** The end of the last success may not have been written down; its slot always is. */
  #successOf(id: JobId, { succeededAt, succeededSlot }: Told): Partial<Told> {
    const slot = this.#options.store.previousSuccess(id);
    if (slot === undefined) return {};
    return {
      succeededSlot: Math.max(slot, succeededSlot ?? slot),
      succeededAt: Math.max(slot, succeededAt ?? slot),
    };
  }
}
