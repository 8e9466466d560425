import type { Engine } from '../../src/engine/engine.ts';
import type { EngineEvent } from '../../src/engine/ports.ts';
import type { Instant, JobDefinition, JobId, SkipRecord } from '../../src/model.ts';
import { compileSchedule, type Trigger } from '../../src/schedule/trigger.ts';

/** What a job was to do with every slot after `from`, up to and with `to`. */
interface Stretch {
  readonly trigger: Trigger;
  readonly from: Instant;
  to: Instant;
}

interface Page {
  readonly stretches: Stretch[];
  readonly ran: Map<Instant, number>;
  readonly skipped: Map<Instant, number>;
  /** What decides whether the job goes on as it was. */
  key: string;
}

/** More slots than this may be skipped without being counted. */
const COUNTED = 9_000;

/** Set back further than this, the clock was wrong before. */
const REANCHOR = -3 * 3_600_000;

/**
 * An account of every slot, kept beside the engine from what it was told and from what it says: which slots there were,
 * by the pure trigger alone, and what became of each.
 */
export class Ledger {
  readonly #pages = new Map<JobId, Page>();
  /** Runs that were announced and not finished. */
  readonly open = new Set<string>();
  readonly broken: string[] = [];
  /** From the moment the engine said so. */
  stopping = false;
  #loaded: readonly JobDefinition[] = [];
  #applying: readonly JobDefinition[] = [];
  /** How far each job had come when a set was about to be applied: with the clock set back, further than now. */
  #decided = new Map<JobId, Instant>();

  constructor(first: readonly JobDefinition[], at: Instant) {
    this.#load(first, at);
  }

  /** A set is about to be applied, before time passes. It counts from the moment the engine says that it did. */
  willApply(definitions: readonly JobDefinition[], engine: Engine): void {
    this.#applying = definitions;
    this.#decided = new Map();
    for (const { definition, nextSlot } of engine.jobs())
      this.#decided.set(definition.id, nextSlot === undefined ? Infinity : nextSlot - 1);
  }

  /** Notes a promise that was broken; thrown errors might be taken for troubles of a job by the engine. */
  hold(kept: boolean, promise: string): void {
    if (!kept) this.broken.push(promise);
  }

  take(event: EngineEvent, engine: Engine, now: Instant): void {
    const { kind } = event;
    if (kind === 'jobs_applied') this.#load(this.#applying, now);
    if (kind === 'clock_stepped' && event.by < REANCHOR) this.#cut(engine, now);
    if (kind === 'slots_skipped') this.#skip(event.skip);
    if (kind === 'engine_stopping') {
      this.stopping = true;
      this.#cut(engine, undefined);
    }
    if (kind === 'run_claimed') {
      const { id, jobId, cause, scheduledAt } = event.run;
      this.hold(!this.open.has(id), `${id} is claimed once`);
      this.open.add(id);
      if (cause !== 'manual') count(this.#page(jobId).ran, scheduledAt);
    }
    if (kind === 'run_finished') {
      const { id, attempts } = event.run;
      this.hold(this.open.delete(id), `${id} finishes once, after its claim`);
      this.hold(
        attempts.length <= event.definition.policy.retry.limit + 1,
        `${id} is retried as often as it may`,
      );
    }
  }

  /** Every slot that was came to its end once: as a run, or skipped with a reason. */
  balance({ claimsFailed }: { readonly claimsFailed: boolean }): number {
    let total = 0;
    for (const [id, { stretches, ran, skipped }] of this.#pages) {
      const due = new Map<Instant, number>();
      for (const { trigger, from, to } of stretches)
        for (const slot of slotsBetween(trigger, from, to)) count(due, slot);
      for (const slot of new Set([...due.keys(), ...ran.keys(), ...skipped.keys()])) {
        const [times, runs, skips] = [due.get(slot) ?? 0, ran.get(slot) ?? 0, skipped.get(slot) ?? 0];
        const fair = runs + skips === times && (runs <= 1 || claimsFailed);
        if (!fair) this.hold(false, `${id} ${iso(slot)}: due ${times}, ran ${runs}, skipped ${skips} times`);
        total += 1;
      }
    }
    return total;
  }

  #page(id: JobId): Page {
    const page = this.#pages.get(id) ?? { stretches: [], ran: new Map(), skipped: new Map(), key: '' };
    this.#pages.set(id, page);
    return page;
  }

  #load(definitions: readonly JobDefinition[], at: Instant): void {
    const stays = new Map(definitions.map((definition) => [definition.id, definition]));
    for (const { id } of this.#loaded) if (!stays.has(id)) this.#turn(id, '', at);
    for (const definition of definitions) {
      const { id, enabled, schedule } = definition;
      const key = enabled ? JSON.stringify(schedule) : '';
      this.#turn(id, key, at, enabled ? compileSchedule(schedule, id) : undefined);
    }
    this.#loaded = definitions;
  }

  #turn(id: JobId, key: string, at: Instant, trigger?: Trigger): void {
    const page = this.#page(id);
    if (page.key === key) return;
    const last = page.stretches.at(-1);
    if (page.key !== '' && last !== undefined) last.to = Math.max(at, this.#decided.get(id) ?? at);
    if (trigger !== undefined) page.stretches.push({ trigger, from: at, to: Number.POSITIVE_INFINITY });
    page.key = key;
  }

  /** Everybody's place in time ends here, and begins anew at `from`, if it is given. */
  #cut(engine: Engine, from: Instant | undefined): void {
    this.#decided.clear();
    for (const { definition, nextSlot } of engine.jobs()) {
      const page = this.#page(definition.id);
      const last = page.stretches.at(-1);
      if (page.key === '' || last === undefined) continue;
      if (nextSlot !== undefined) last.to = nextSlot - 1;
      if (from === undefined) page.key = '';
      else page.stretches.push({ trigger: last.trigger, from, to: Number.POSITIVE_INFINITY });
    }
  }

  #skip({ jobId, scheduledAt, through, count: claimed }: SkipRecord): void {
    const { stretches, skipped } = this.#page(jobId);
    const trigger = stretches.at(-1)?.trigger;
    const single = scheduledAt === through || trigger === undefined;
    const slots = single ? [scheduledAt] : slotsBetween(trigger, scheduledAt - 1, through);
    const counted = claimed === undefined ? slots.length > COUNTED : slots.length === claimed;
    this.hold(
      counted,
      `${jobId} ${iso(scheduledAt)}–${iso(through)}: ${slots.length} slots, said to be ${claimed}`,
    );
    for (const slot of slots) count(skipped, slot);
  }
}

function slotsBetween(trigger: Trigger, after: Instant, to: Instant): Instant[] {
  const slots: Instant[] = [];
  for (let slot = trigger.next(after); slot !== undefined && slot <= to; slot = trigger.next(slot))
    slots.push(slot);
  return slots;
}

function count(map: Map<Instant, number>, slot: Instant): void {
  map.set(slot, (map.get(slot) ?? 0) + 1);
}

function iso(at: Instant): string {
  return new Date(at).toISOString();
}
