import type { AttemptRecord, RunId, RunRecord } from '../model.ts';
import { outcomeInWords, printable } from '../observe/text.ts';
import type { HistoryReader } from '../store/history.ts';
import { exit, Failure } from './exit.ts';
import { Follower } from './follow.ts';
import { assertKnown } from './known-job.ts';
import { showerOf, tellAttempt, type LogsOptions, type LogView } from './log-view.ts';
import { isOutput, readFrom, tailOf } from './output-file.ts';
import { noHistory, outputPath, runDirectory, withHistory } from './past.ts';
import { shardRun } from '../schedule/joint.ts';
import { hasBegun } from '../schedule/run-length.ts';
import { partsOfId, shardId, shardName } from '../shard.ts';
import type { Session } from './session.ts';
import { stateDirectory } from './state-directory.ts';

/** What a run printed. Gives the exit code. */
export async function logs(name: string, options: LogsOptions, session: Session): Promise<number> {
  const state = stateDirectory(options.stateDir, session.environment);
  return withHistory(state, async (history) => {
    const run = history === undefined ? undefined : runNamed(name, history);
    if (run === undefined || history === undefined) {
      await assertKnown(name, { history, file: options.file, session });
      throw new Failure(
        exit.no,
        `${printable(name)} has not run yet`,
        history === undefined ? noHistory(state) : undefined,
      );
    }
    const view = { state, history, options, session };
    if (run.shards !== undefined) return showShards(run, view);
    if (options.follow === true) return new Follower(run, view).follow();
    return showRun(run, view);
  });
}

/** A job's id comes before the beginning of a run's. */
function runNamed(name: string, history: HistoryReader): RunRecord | undefined {
  const newest = history.latestRun(name);
  if (newest !== undefined) return newest;
  const { run, index } = partsOfId(name);
  if (index === undefined) return wholeRun(name, history);
  const whole = wholeRun(run, history) ?? history.latestRun(run);
  const part = whole && shardRun(whole, index);
  if (whole === undefined || part !== undefined) return part;
  const known = (whole.shards ?? []).map((shard) => shard.index).join(', ');
  throw new Failure(
    exit.usage,
    `this run has no shard ${index}`,
    known === '' ? 'its job has none' : `it has ${known}`,
  );
}

function wholeRun(name: string, history: HistoryReader): RunRecord | undefined {
  if (!/^[0-9a-f][0-9a-f-]{3,35}$/i.test(name)) return undefined;
  const found = history.run(name.toLowerCase());
  if (found !== 'ambiguous') return found;
  throw new Failure(
    exit.usage,
    `several runs begin with "${name}"`,
    'write more of the id; tsched history shows as much as is needed',
  );
}

/** One part after another. */
function showShards(run: RunRecord, view: LogView): number {
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
    const begun = part.attempts.filter(hasBegun);
    const isKept = begun.some(({ number }) => isOutput(outputPath(view.state, part.id, number)));
    if (isKept) showRun(part, view);
    else if (options.json !== true) session.err('(no output)\n');
  }
  return exit.ok;
}

function showRun(run: RunRecord, view: LogView): number {
  const { options, session, state } = view;
  const attempts = attemptsOf(run, options);
  if (attempts.length === 0) return tellUnbegun(run, view);
  const kept = attempts.filter(({ number }) => isOutput(outputPath(state, run.id, number)));
  if (kept.length === 0) return tellGone(run, view);
  let bytes = 0;
  for (const { attempt, from } of beginnings(run.id, kept, view)) {
    if (run.attempts.length > 1) tellAttempt(run, attempt, view);
    const shower = showerOf(run.id, attempt.number, view);
    const read = readFrom(outputPath(state, run.id, attempt.number), from, (piece) => {
      bytes += piece.length;
      return shower.show(piece);
    });
    if (read === undefined || !shower.end()) break;
  }
  if (bytes === 0 && options.json !== true) session.err('(no output)\n');
  return exit.ok;
}

/** @throws Failure (64) when there was no such attempt */
function attemptsOf(run: RunRecord, { attempt }: LogsOptions): readonly AttemptRecord[] {
  const begun = run.attempts.filter(hasBegun);
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
function beginnings(id: RunId, attempts: readonly AttemptRecord[], view: LogView): readonly Beginning[] {
  const { tail } = view.options;
  if (tail === undefined) return attempts.map((attempt) => ({ attempt, from: 0 }));
  const found: Beginning[] = [];
  let left = tail;
  for (const attempt of attempts.toReversed()) {
    const { position = 0, lines = 0 } = tailOf(outputPath(view.state, id, attempt.number), left) ?? {};
    found.unshift({ attempt, from: position });
    left -= lines;
    if (left <= 0) break;
  }
  return found;
}

function tellUnbegun({ jobId, outcome }: RunRecord, { session }: LogView): number {
  if (outcome === undefined) {
    session.err(`tsched: this run of ${printable(jobId)} has not begun yet; follow it with -f\n`);
    return exit.ok;
  }
  const text = `this run of ${jobId} printed nothing: ${outcomeInWords(outcome)}`;
  throw new Failure(exit.no, printable(text));
}

function tellGone(run: RunRecord, { state }: LogView): number {
  const text = `the output of this run of ${run.jobId} is gone from ${runDirectory(state, run.id)}`;
  throw new Failure(
    exit.no,
    printable(text),
    'only that of the newest runs of a job is kept: see output: { keep } in the job file',
  );
}
