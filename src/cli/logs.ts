import type { AttemptRecord, RunId, RunRecord } from '../model.ts';
import { outcomeInWords, printable } from '../observe/text.ts';
import { exit, Failure } from './exit.ts';
import { Follower } from './follow.ts';
import { assertKnown } from './known-job.ts';
import { showerOf, tellAttempt, type LogsOptions, type LogView } from './log-view.ts';
import { readFrom, tailOf, type OpenOutput } from './output-file.ts';
import { noHistory } from './past.ts';
import { withPast, type PastSource } from './past-source.ts';
import { shardRun } from '../schedule/joint.ts';
import { hasBegun } from '../schedule/run-length.ts';
import { partsOfId, shardId, shardName } from '../shard.ts';
import type { Session } from './session.ts';
import { stateDirectory } from './state-directory.ts';

/** What a run printed. Gives the exit code. */
export async function logs(name: string, options: LogsOptions, session: Session): Promise<number> {
  const state = stateDirectory(options.stateDir, session.environment);
  return withPast(state, session, async (past) => {
    const run = past === undefined ? undefined : await runNamed(name, past);
    if (run === undefined || past === undefined) {
      await assertTold(`whether ${name} has run`, past);
      await assertKnown(name, { past, file: options.file, session });
      const hint = past === undefined ? noHistory(state) : undefined;
      throw new Failure(exit.no, `${printable(name)} has not run yet`, hint);
    }
    const view = { past, options, session };
    if (run.shards !== undefined) return showShards(run, view);
    if (options.follow === true) return new Follower(run, view).follow();
    return showRun(run, view);
  });
}

/**
 * Who does not find something has to know that all could be looked up.
 * @throws Failure (69) that says what is not known, and why
 */
async function assertTold(what: string, past: PastSource | undefined): Promise<void> {
  const trouble = await past?.trouble();
  if (trouble === undefined) return;
  throw new Failure(exit.unavailable, printable(`${what} is not known: ${trouble.message}`), trouble.hint);
}

/** A job's id comes before the beginning of a run's. */
async function runNamed(name: string, past: PastSource): Promise<RunRecord | undefined> {
  const newest = await past.latestRun(name);
  if (newest !== undefined) return newest;
  const { run, index } = partsOfId(name);
  if (index === undefined) return wholeRun(name, past);
  const whole = (await wholeRun(run, past)) ?? (await past.latestRun(run));
  const part = whole && shardRun(whole, index);
  if (whole === undefined || part !== undefined) return part;
  const known = (whole.shards ?? []).map((shard) => shard.index).join(', ');
  throw new Failure(
    exit.usage,
    `this run has no shard ${index}`,
    known === '' ? 'its job has none' : `it has ${known}`,
  );
}

async function wholeRun(name: string, past: PastSource): Promise<RunRecord | undefined> {
  if (!/^[0-9a-f][0-9a-f-]{3,35}$/i.test(name)) return undefined;
  const found = await past.run(name.toLowerCase());
  if (found !== 'ambiguous') return found;
  throw new Failure(
    exit.usage,
    `several runs begin with "${name}"`,
    'write more of the id; tsched history shows as much as is needed',
  );
}

/** One part after another. */
async function showShards(run: RunRecord, view: LogView): Promise<number> {
  const { options, session } = view;
  const { shards = [] } = run;
  if (options.follow === true) {
    const hint = `follow one of them: tsched logs -f ${shardId(run.id, shards[0]?.index ?? 0)}`;
    throw new Failure(exit.usage, 'the shards of a run print at the same time', hint);
  }
  for (const shard of shards) {
    const part = shardRun(run, shard.index);
    if (part === undefined) continue;
    if (options.json !== true) {
      const end = shard.outcome === undefined ? shard.state : outcomeInWords(shard.outcome);
      session.err(
        `${session.painter('err')('cyan', '▶')} ${printable(`shard ${shardName(shard)}: ${end}`)}\n`,
      );
    }
    const kept = await keptOf(part.id, part.attempts.filter(hasBegun), view);
    if (kept.length > 0) await showKept(part, kept, view);
    else if (options.json !== true) session.err('(no output)\n');
  }
  return exit.ok;
}

async function showRun(run: RunRecord, view: LogView): Promise<number> {
  const attempts = attemptsOf(run, view.options);
  if (attempts.length === 0) return tellUnbegun(run, view);
  const kept = await keptOf(run.id, attempts, view);
  return kept.length === 0 ? tellGone(run, view) : showKept(run, kept, view);
}

/** Whose output is still there. */
async function keptOf(
  id: RunId,
  attempts: readonly AttemptRecord[],
  view: LogView,
): Promise<readonly AttemptRecord[]> {
  const kept: AttemptRecord[] = [];
  for (const attempt of attempts) {
    if ((await withOutput(view, { id, number: attempt.number }, () => Promise.resolve(true))) === true)
      kept.push(attempt);
  }
  return kept;
}

/** Undefined: there is none of it. */
async function withOutput<T>(
  { past }: LogView,
  { id, number }: { readonly id: RunId; readonly number: number },
  work: (output: OpenOutput) => Promise<T>,
): Promise<T | undefined> {
  const output = await past.outputs.open(id, number);
  try {
    return output && (await work(output));
  } finally {
    output?.close();
  }
}

async function showKept(run: RunRecord, kept: readonly AttemptRecord[], view: LogView): Promise<number> {
  const { options, session } = view;
  let bytes = 0;
  for (const { attempt, from } of await beginnings(run.id, kept, view)) {
    if (run.attempts.length > 1) tellAttempt(run, attempt, view);
    const shower = showerOf(run.id, attempt.number, view);
    const show = (piece: Buffer): boolean => {
      bytes += piece.length;
      return shower.show(piece);
    };
    const read = await withOutput(view, { id: run.id, number: attempt.number }, (output) =>
      readFrom(output, from, show),
    );
    if (read === undefined || !shower.end()) break;
  }
  if (bytes === 0 && options.json !== true) session.err('(no output)\n');
  return exit.ok;
}

/** @throws Failure (64) when there was no such attempt */
function attemptsOf(run: RunRecord, { attempt }: LogsOptions): readonly AttemptRecord[] {
  // One that waits for a node has not begun, though its run has.
  const begun = run.attempts.filter((each) => hasBegun(each) && each.awaits === undefined);
  if (attempt === undefined) return begun;
  const found = begun.filter(({ number }) => number === attempt);
  if (found.length > 0) return found;
  const had = begun.length === 1 ? '1 attempt' : `${begun.length} attempts`;
  throw new Failure(exit.usage, `the run had ${had}, not ${attempt}`);
}

interface Beginning {
  readonly attempt: AttemptRecord;
  readonly from: number;
}

/** From where each is shown: the last lines of all of them together may be in several. */
async function beginnings(
  id: RunId,
  attempts: readonly AttemptRecord[],
  view: LogView,
): Promise<readonly Beginning[]> {
  const { tail } = view.options;
  if (tail === undefined) return attempts.map((attempt) => ({ attempt, from: 0 }));
  const found: Beginning[] = [];
  let left = tail;
  for (const attempt of attempts.toReversed()) {
    const count = left;
    const last = await withOutput(view, { id, number: attempt.number }, (output) => tailOf(output, count));
    const { position = 0, lines = 0 } = last ?? {};
    found.unshift({ attempt, from: position });
    left -= lines;
    if (left <= 0) break;
  }
  return found;
}

async function tellUnbegun({ jobId, outcome }: RunRecord, { past, session }: LogView): Promise<number> {
  if (outcome === undefined) {
    await assertTold(`whether this run of ${jobId} has begun`, past);
    session.err(`tsched: this run of ${printable(jobId)} has not begun yet; follow it with -f\n`);
    return exit.ok;
  }
  const text = `this run of ${jobId} printed nothing: ${outcomeInWords(outcome)}`;
  throw new Failure(exit.no, printable(text));
}

function tellGone({ id, jobId }: RunRecord, { past }: LogView): number {
  const text = `the output of this run of ${jobId} is gone from ${past.outputs.where(id)}`;
  throw new Failure(
    exit.no,
    printable(text),
    'only that of the newest runs of a job is kept: see output: { keep } in the job file',
  );
}
