/** Replays: what they would do, beginning and cancelling them, and why not. */
import type { Engine } from '../engine/engine.ts';
import type { Answer } from '../engine/ports-operator.ts';
import type { ReplayOperator, ReplayPlanned, ReplayRequest, ReplayView } from '../engine/ports-replays.ts';
import type { Clock } from '../engine/ports.ts';
import type { Instant, JobDefinition, JobId } from '../model.ts';
import type { Replay } from '../replay.ts';
import { MOST_SLOTS, mostParallel, slotsBetween } from '../schedule/replay.ts';
import { compileSchedule } from '../schedule/trigger.ts';
import { done, refuse, STOPPING } from './answers.ts';
import type { Runs } from './runs.ts';

export interface ReplaysParts {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly daemon: { say(message: string): void };
}

/** Replays under way at once, of all jobs. */
const MOST_ACTIVE = 20;
/** Rows of history asked for at once. */
const PAGE = 1000;

export class ReplayOffice implements ReplayOperator {
  readonly #parts: ReplaysParts;
  readonly #runs: Pick<Runs, 'page'>;
  readonly #unknownJob: (jobId: JobId) => Answer<never>;

  constructor(parts: ReplaysParts, runs: Pick<Runs, 'page'>, unknownJob: (jobId: JobId) => Answer<never>) {
    this.#parts = parts;
    this.#runs = runs;
    this.#unknownJob = unknownJob;
  }

  list(): readonly ReplayView[] {
    return this.#parts.engine.replays.list();
  }

  find(idOrPrefix: string): Answer<ReplayView> {
    const found = this.list().filter(({ replay }) => replay.id.startsWith(idOrPrefix));
    const [view] = found;
    if (view !== undefined && found.length === 1) return done(view);
    const message =
      view === undefined ? 'there is no such replay' : `several replays begin with "${idOrPrefix}"`;
    const hint =
      view === undefined
        ? 'tsched replay --list, or GET /api/v1/replays, lists them'
        : 'write more of the id';
    return refuse({ refused: 'unknown_replay', message, hint });
  }

  async plan(request: ReplayRequest): Promise<Answer<ReplayPlanned>> {
    const { engine, clock } = this.#parts;
    const { by: _, ...asked } = request;
    const job = engine.definition(asked.jobId);
    if (job === undefined) return this.#unknownJob(asked.jobId);
    const most = mostParallel(job.policy);
    if (asked.parallel > most) return refuse(tooParallel(job, most));
    const range = { ...asked, to: Math.min(asked.to, clock.now()) };
    const all = slotsBetween(compileSchedule(job.schedule, job.id), range);
    if (all === undefined) {
      const message = `there are more than ${MOST_SLOTS} slots of ${job.id} in that time`;
      return refuse({ refused: 'too_many_slots', message, hint: 'take it in parts' });
    }
    const settled = asked.missingOnly ? await this.#settled(range) : done(new Set<Instant>());
    if (!settled.ok) return settled;
    const slots = all.filter((slot) => !settled.value.has(slot));
    if (slots.length === 0) return refuse(noSlots(job, all.length));
    return done({ plan: { ...range, slots: asked.order === 'oldest' ? slots : slots.reverse() } });
  }

  async start(request: ReplayRequest): Promise<Answer<Replay>> {
    const planned = await this.plan(request);
    if (!planned.ok) return planned;
    const { engine, daemon } = this.#parts;
    if (engine.stopping) return refuse(STOPPING);
    const active = this.list().filter(({ replay }) => replay.state === 'active');
    const same = active.find(({ replay }) => replay.jobId === request.jobId);
    if (same !== undefined) {
      const message = `a replay of ${request.jobId} is under way: ${same.replay.id}`;
      return refuse({ refused: 'replay_active', message, hint: 'wait for its end, or cancel it' });
    }
    if (active.length >= MOST_ACTIVE) {
      const message = `${MOST_ACTIVE} replays are under way`;
      return refuse({ refused: 'too_many', message, hint: 'wait for some of them to end' });
    }
    const replay = await engine.replays.begin(planned.value.plan);
    daemon.say(`${request.by} replays ${replay.total} slots of ${replay.jobId}: replay ${replay.id}`);
    return done(replay);
  }

  async cancel(idOrPrefix: string, by: string): Promise<Answer<Replay>> {
    const found = this.find(idOrPrefix);
    if (!found.ok) return found;
    const { id } = found.value.replay;
    const replay = this.#parts.engine.replays.cancel(id);
    if (replay === undefined) return refuse({ refused: 'replay_over', message: 'this replay is over' });
    this.#parts.daemon.say(`${by} cancelled replay ${id} of ${replay.jobId}`);
    await this.#parts.engine.cancelled();
    return done(replay);
  }

  /** Slots that have a run that succeeded, or is active: history and what the engine knows. */
  async #settled({ jobId, from, to }: Omit<ReplayRequest, 'by'>): Promise<Answer<ReadonlySet<Instant>>> {
    const slots = new Set<Instant>();
    let cursor: string | undefined;
    do {
      const page = await this.#runs.page({
        jobId,
        since: from,
        until: to,
        statuses: ['succeeded', 'active'],
        limit: PAGE,
        cursor,
      });
      if (!page.ok) return page;
      for (const row of page.value.rows) if ('run' in row) slots.add(row.run.scheduledAt);
      cursor = page.value.next;
    } while (cursor !== undefined);
    return done(slots);
  }
}

function tooParallel({ id, policy }: JobDefinition, most: number) {
  const message = `${most === 1 ? 'one run' : `${most} runs`} of ${id} may be active at once`;
  const hint =
    policy.overlap === 'allow' ? 'max_instances says so' : 'more with overlap: allow and max_instances';
  return { refused: 'too_parallel', message, hint } as const;
}

function noSlots({ id }: JobDefinition, all: number) {
  if (all === 0) return { refused: 'no_slots', message: `${id} had no slots in that time` } as const;
  const message = `each of the ${all} slots of ${id} in that time has a run that succeeded or is active`;
  return { refused: 'no_slots', message, hint: 'without missing-only they run again' } as const;
}
