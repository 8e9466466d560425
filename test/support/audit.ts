/** The account of what became of every slot, held against what jobs say they did. */
import { existsSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { AfterTrigger } from '../../src/chain.ts';
import type { JobDefinition, JobId, RunRecord, SkipRecord } from '../../src/model.ts';
import { jointOutcome, shardRun } from '../../src/schedule/joint.ts';
import { follow, type Standing } from '../../src/schedule/follow.ts';
import { compileSchedule } from '../../src/schedule/trigger.ts';

export interface Execution {
  readonly jobId: string;
  readonly slot: number;
  readonly run: string;
  readonly attempt: number;
  /** Exit code, once it has ended. */
  ended?: number;
}

export class Audit {
  readonly findings: string[] = [];
  readonly #runs: readonly RunRecord[];
  readonly #skips: readonly SkipRecord[];
  readonly #executions: readonly Execution[];
  readonly #mayLose: boolean;

  /** `mayLose`: attempts may have been lost, with the machine they ran on. */
  constructor(
    ...[runs, skips, executions, { mayLose = false } = {}]: [
      readonly RunRecord[],
      readonly SkipRecord[],
      readonly Execution[],
      { readonly mayLose?: boolean }?,
    ]
  ) {
    this.#mayLose = mayLose;
    this.#runs = runs;
    this.#skips = skips;
    this.#executions = executions;
  }

  say(finding: string): void {
    this.findings.push(finding);
  }

  /** Every slot in (from, to] has one run or one skip. */
  slots({ id, schedule }: JobDefinition, { from, to }: { from: number; to: number }): void {
    const rows = new Map<number, string[]>();
    const note = (slot: number, what: string): void => void rows.set(slot, [...(rows.get(slot) ?? []), what]);
    const trigger = compileSchedule(schedule, id);
    const due: number[] = [];
    for (let slot = trigger.next(from); slot !== undefined && slot <= to; slot = trigger.next(slot))
      due.push(slot);
    for (const { jobId, scheduledAt, id: run } of this.#runs)
      if (jobId === id) note(scheduledAt, `run ${run}`);
    for (const { jobId, scheduledAt, through, reason, count = 0 } of this.#skips) {
      if (jobId !== id) continue;
      const slots = due.filter((slot) => scheduledAt <= slot && slot <= through);
      for (const slot of slots) note(slot, `skip ${reason}`);
      if (slots.length !== count && through <= to)
        this.say(`${id} ${iso(scheduledAt)}–${iso(through)}: ${slots.length} slots, said to be ${count}`);
    }
    for (const slot of due) {
      const found = rows.get(slot) ?? [];
      if (found.length !== 1) this.say(`${id} ${iso(slot)}: ${found.join(', ') || 'nothing became of it'}`);
    }
  }

  /** Every slot that something ran of which it follows is one run or one skip, and the one that follows from how those ended. */
  followed(id: JobId, after: AfterTrigger): void {
    const standings = new Map<number, Map<JobId, Standing>>();
    for (const { jobId, scheduledAt, outcome } of this.#runs) {
      if (!after.jobs.includes(jobId)) continue;
      const known = standings.get(scheduledAt) ?? new Map<JobId, Standing>();
      standings.set(scheduledAt, known.set(jobId, outcome?.kind ?? 'pending'));
    }
    for (const [slot, known] of standings) {
      const { kind } = follow(after, (jobId) => known.get(jobId) ?? 'absent');
      const runs = this.#runs.filter(({ jobId, scheduledAt }) => jobId === id && scheduledAt === slot);
      const skips = this.#skips.filter(({ jobId, scheduledAt }) => jobId === id && scheduledAt === slot);
      const isFair =
        runs.length + skips.length === 1 &&
        (kind === 'skip') === (skips[0]?.reason === 'dependency') &&
        runs.every(({ cause }) => cause === 'dependency');
      const found = [
        ...runs.map((run) => `run ${run.id} (${run.cause})`),
        ...skips.map(({ reason }) => reason),
      ];
      if (!isFair)
        this.say(
          `${id} ${iso(slot)}: ${kind} by ${JSON.stringify([...known])}, but ${found.join(', ') || 'nothing'}`,
        );
    }
    for (const { jobId, scheduledAt } of this.#runs)
      if (jobId === id && !standings.has(scheduledAt)) this.say(`${id} ${iso(scheduledAt)}: follows nothing`);
  }

  /** Every run has ended as its own account says, and was executed as often as its attempts say. */
  runs(definitions: ReadonlyMap<string, JobDefinition>): void {
    const all = this.#runs.flatMap((run) => this.#parts(run, definitions.get(run.jobId)?.shards?.length));
    const known = new Map(all.map((run) => [run.id, run]));
    const seen = new Set<string>();
    for (const { run: id, attempt, jobId, slot } of this.#executions) {
      const key = `${jobId} ${iso(slot)} ${id} attempt ${attempt}`;
      if (seen.has(key)) this.say(`${key}: executed twice`);
      seen.add(key);
      const recorded = known.get(id)?.attempts.find(({ number }) => number === attempt);
      if (recorded === undefined) this.say(`${key}: executed, but not in the history`);
    }
    for (const run of all) this.#run(run, definitions.get(run.jobId)?.policy.retry.limit ?? 0);
  }

  /** A run in parts as these: it has all, and ended as they did together. */
  #parts(run: RunRecord, count: number | undefined): RunRecord[] {
    const { shards, outcome } = run;
    const name = `${run.jobId} ${iso(run.scheduledAt)} ${run.id}`;
    if (shards?.length !== count) this.say(`${name}: ${shards?.length} parts of ${count}`);
    if (shards === undefined) return [run];
    if (run.state !== 'finished' || !isDeepStrictEqual(outcome, jointOutcome(shards)))
      this.say(`${name}: ${run.state} as ${JSON.stringify(outcome)}, its parts ${JSON.stringify(shards)}`);
    return shards.flatMap(({ index }) => shardRun(run, index) ?? []);
  }

  #run(run: RunRecord, limit: number): void {
    const name = `${run.jobId} ${iso(run.scheduledAt)} ${run.id}`;
    if (run.state !== 'finished' || run.outcome === undefined) return this.say(`${name}: ${run.state}`);
    const last = run.attempts.at(-1)?.outcome;
    if (run.outcome.kind !== 'cancelled' && last?.kind !== run.outcome.kind)
      this.say(`${name}: ${run.outcome.kind}, its last attempt ${last?.kind}`);
    const begun = run.attempts.filter(({ duration }) => duration !== undefined);
    if (begun.length > limit + 1) this.say(`${name}: ${begun.length} attempts`);
    for (const [index, { number, outcome }] of run.attempts.entries()) {
      const execution = this.#executions.find((each) => each.run === run.id && each.attempt === number);
      const what = `${name} attempt ${number}: ${JSON.stringify(outcome)}, by its own account ${JSON.stringify(execution)}`;
      const isFair =
        agrees(outcome, execution) && (this.#mayLose || run.jobId === 'thread' || outcome?.kind !== 'lost');
      if (!isFair) this.say(what);
      if (outcome?.kind === 'succeeded' && index < run.attempts.length - 1)
        this.say(`${what}, and tried again`);
    }
  }
}

function agrees(outcome: RunRecord['outcome'], execution: Execution | undefined): boolean {
  switch (outcome?.kind) {
    case 'succeeded':
      return execution?.ended === 0;
    case 'failed':
      return execution?.ended === outcome.exitCode;
    case 'not_started':
      return execution === undefined;
    case 'lost':
    case 'cancelled':
      return true;
    // A process kept ready that died with its daemon, before it had begun.
    case 'threw':
      return execution === undefined;
    case 'killed':
    case 'timed_out':
    case undefined:
      return false;
  }
}

export function executionsIn(path: string): Execution[] {
  const found = new Map<string, Execution>();
  const twice: Execution[] = [];
  for (const line of linesOf(path)) {
    const [jobId = '', slot = '', run = '', attempt = '', what, code] = line.split(' ');
    const key = `${run} ${attempt}`;
    const known = found.get(key);
    if (what === 'end' && known !== undefined) known.ended = Number(code);
    const execution = { jobId, slot: Date.parse(slot), run, attempt: Number(attempt) };
    if (what !== 'begin') continue;
    if (known === undefined) found.set(key, execution);
    else twice.push(execution);
  }
  return [...found.values(), ...twice];
}

export function linesOf(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
}

function iso(at: number): string {
  return new Date(at).toISOString().slice(11, 23);
}
