/**
 * How long one question for the next fire takes, beside other libraries, interleaved in one run.
 *
 * Every question starts from another instant (seeded, spread over twelve years), so that no remembered answer helps.
 * cron-schedule knows no zones and answers in the zone of the host; node-cron only answers from now.
 */
import { CronExpressionParser } from 'cron-parser';
import { parseCronExpression } from 'cron-schedule';
import { Cron } from 'croner';
import { createTask } from 'node-cron';
import { compileTrigger } from '../../src/schedule/compile-trigger.ts';

const CASES: readonly (readonly [expression: string, timezone: string])[] = [
  ['* * * * *', 'UTC'],
  ['*/5 * * * *', 'Europe/Berlin'],
  ['*/10 * * * * *', 'Asia/Shanghai'],
  ['17 * * * *', 'America/New_York'],
  ['30 2 * * *', 'Europe/Berlin'],
  ['0 9-17 * * 1-5', 'America/Los_Angeles'],
  ['0 3 * * 0', 'Australia/Lord_Howe'],
  ['0 0 1 * *', 'America/Sao_Paulo'],
  ['0 0 13 * 5', 'Europe/Dublin'],
  ['0 0 1 1 *', 'Pacific/Chatham'],
];

const FIRST = Date.UTC(2024, 0, 1);
const SPAN = 12 * 365 * 86_400_000;

type Ask = (instants: readonly number[]) => unknown;

interface Contender {
  readonly name: string;
  /** Questions asked in one round, so that rounds of slow ones end. */
  readonly questions: number;
  prepare(expression: string, timezone: string): Ask;
}

const CONTENDERS: readonly Contender[] = [
  {
    name: 'tsched',
    questions: 4000,
    prepare(expression, timezone) {
      const trigger = compileTrigger({ cron: expression, timezone });
      return (instants) => instants.reduce((sum, instant) => sum + (trigger.next(instant) ?? 0), 0);
    },
  },
  {
    name: 'cron-schedule',
    questions: 4000,
    prepare(expression) {
      const cron = parseCronExpression(expression);
      return (instants) =>
        instants.reduce((sum, instant) => sum + cron.getNextDate(new Date(instant)).getTime(), 0);
    },
  },
  {
    name: 'croner',
    questions: 400,
    prepare(expression, timezone) {
      const cron = new Cron(expression, { timezone, paused: true });
      return (instants) =>
        instants.reduce((sum, instant) => sum + (cron.nextRun(new Date(instant))?.getTime() ?? 0), 0);
    },
  },
  {
    name: 'node-cron',
    questions: 400,
    prepare(expression, timezone) {
      const task = createTask(expression, () => undefined, { timezone });
      return (instants) => instants.reduce((sum) => sum + (task.getNextRuns(1)[0]?.getTime() ?? 0), 0);
    },
  },
  {
    name: 'cron-parser',
    questions: 100,
    prepare(expression, timezone) {
      const cron = CronExpressionParser.parse(expression, { tz: timezone, currentDate: FIRST });
      return (instants) =>
        instants.reduce((sum, instant) => {
          cron.reset(new Date(instant));
          try {
            return sum + cron.next().getTime();
          } catch {
            return sum; // "loop limit exceeded", e.g. in Australia/Lord_Howe: its time counts all the same
          }
        }, 0);
    },
  },
];

/** Prints one table: microseconds for one question, the median of the rounds. */
export async function run(options: { smoke: boolean }): Promise<void> {
  const rounds = options.smoke ? 1 : 15;
  console.log(
    `next fire: microseconds a question, median of ${rounds} rounds, TZ=${process.env.TZ ?? 'system'}`,
  );
  console.log(
    row([
      'expression',
      'zone',
      ...CONTENDERS.map((contender) => contender.name),
      'gain: cron-schedule',
      'cron-parser',
    ]),
  );
  for (const [expression, timezone] of CASES) {
    const costs = measure({ expression, timezone, rounds, scale: options.smoke ? 0.01 : 1 });
    const gain = (name: string): string =>
      `${((costs.get(name) ?? Number.NaN) / (costs.get('tsched') ?? Number.NaN)).toFixed(1)}x`;
    const figures = CONTENDERS.map((contender) => (costs.get(contender.name) ?? Number.NaN).toFixed(2));
    console.log(row([expression, timezone, ...figures, gain('cron-schedule'), gain('cron-parser')]));
  }
}

function measure(job: {
  expression: string;
  timezone: string;
  rounds: number;
  scale: number;
}): Map<string, number> {
  const asks = CONTENDERS.map((contender) => ({
    name: contender.name,
    questions: contender.questions,
    ask: contender.prepare(job.expression, job.timezone),
    times: [] as number[],
  }));
  const random = seeded(20_261_025);
  for (let round = -2; round < job.rounds; round += 1) {
    for (const contender of asks) {
      const count = Math.max(1, Math.round(contender.questions * job.scale));
      const instants = Array.from({ length: count }, () => FIRST + Math.floor(random() * SPAN));
      const started = performance.now();
      contender.ask(instants);
      const took = performance.now() - started;
      // The first rounds warm up compiler and caches, everyone's alike.
      if (round >= 0) contender.times.push((took * 1000) / count);
    }
  }
  return new Map(asks.map((contender) => [contender.name, median(contender.times)]));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => (i < 2 ? cell.padEnd(21) : cell.padStart(i < 7 ? 14 : 20))).join('');
}

if (import.meta.main) await run({ smoke: process.argv.includes('--smoke') });
