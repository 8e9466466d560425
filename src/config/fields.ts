/** Every key of the job file: the one table behind validation, defaults, `tsched schema` and the reference page. */
import { calendars, DAY_FIELDS } from './calendar-fields.ts';
import { CHAIN_FIELDS } from './chain-fields.ts';
import { environment } from './env-fields.ts';
import { http } from './http-fields.ts';
import { expect, NOTIFIER, NOTIFIER_FIELDS, notify, ping } from './notify-fields.ts';
import { params } from './params.ts';
import { pool, pools } from './pool-fields.ts';
import { runsOn } from './runs-on-fields.ts';
import { SHARD_FIELDS } from './shard-fields.ts';
import { history, output } from './kept-fields.ts';
import * as is from './scalars.ts';
import { list, map, oneOrMany, type Fields, type MapShape } from './shape.ts';
import { tests } from './test-fields.ts';

/** The characters of a job id. Ids become file names, metric labels and words of the command line. */
export const JOB_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** The number of runs of one job at once under `overlap: allow` when `max_instances` does not say. */
export const ALLOWED_INSTANCES = 10;

const dst = map({
  gap: {
    shape: is.choice('run_after', 'skip'),
    about:
      'What becomes of a time that does not exist because clocks go forward: run it later by the size of the gap, or skip it.',
  },
  overlap: {
    shape: is.choice('first', 'both'),
    about: 'What becomes of a time that exists twice as clocks go back: run at the first only, or both.',
  },
});

const misfire: MapShape = map(
  {
    run: {
      shape: is.choice('latest', 'all', 'none'),
      about: 'Which of the missed slots run: the newest, all of them one after another, or none.',
      default: 'latest',
    },
    grace: {
      shape: is.duration(),
      about: 'How late a missed slot may still start. With `run: all` there is no bound unless one is given.',
      default: '1h',
    },
    max: {
      shape: is.integer(1, 100_000),
      about: 'Most slots that `run: all` catches up at once.',
      default: 100,
    },
  },
  'run',
);

const retry: MapShape = map(
  {
    limit: { shape: is.integer(0, 1000), about: 'Retries after the first attempt.', default: 0 },
    delay: { shape: is.duration(), about: 'Wait before the first retry.', default: '10s' },
    backoff: {
      shape: is.choice('constant', 'linear', 'exponential'),
      about: 'How the wait grows from retry to retry.',
      default: 'exponential',
    },
    max_delay: { shape: is.duration(), about: 'The wait never grows beyond this.', default: '5m' },
    jitter: {
      shape: is.flag,
      about: 'Draw each wait evenly from 0 to its computed length, so that many jobs do not retry in step.',
      default: true,
    },
    on: {
      shape: oneOrMany(is.retryCondition),
      about:
        'Retry only on these: exit codes, signals, or outcomes (failed, killed, timed_out, threw, not_started, lost), statuses of HTTP answers.',
      examples: [['timed_out', 75]],
    },
  },
  'limit',
);

const limits = map({
  cpu: { shape: is.duration(1000), about: 'CPU time of a process, in whole seconds.', examples: ['10m'] },
  memory: {
    shape: is.size,
    about: 'Address space of a process. Node and Java programs reserve much more than they use.',
  },
  file_size: { shape: is.size, about: 'Largest file a process may write.' },
  open_files: { shape: is.integer(3), about: 'Files a process may have open.' },
  processes: { shape: is.integer(1), about: 'Processes the user may have.' },
  core: { shape: is.size, about: 'Largest core dump; 0B for none.' },
});

/** The keys of one job, and of `defaults`. */
export const JOB_FIELDS = {
  cron: {
    group: 'when',
    shape: oneOrMany(is.cron),
    about:
      'Cron expression of 5 fields, or 6 with seconds first; names, L, #, H and @daily are known. Several kinds of trigger may be combined.',
    examples: ['*/15 * * * *', '30 9 * * 1-5', ['0 9 * * *', '0 18 * * *']],
  },
  every: {
    group: 'when',
    shape: is.duration(100),
    about: 'Elapsed time between slots, aligned to `anchor`.',
    examples: ['30m', '1h30m'],
  },
  anchor: {
    group: 'when',
    shape: is.instant,
    about: "A moment that `every` counts from. Default: 1970-01-01T00:00 in the job's zone.",
    examples: ['2026-01-01T00:05:00'],
  },
  at: {
    group: 'when',
    shape: oneOrMany(is.instant),
    about: "One or more single moments; without an offset they are local time in the job's zone.",
    examples: ['2027-01-31T02:00:00+01:00'],
  },
  startup: {
    group: 'when',
    shape: is.choice('daemon', 'boot'),
    about: 'Run once at each start of the daemon, or once for each boot of the host.',
  },
  ...CHAIN_FIELDS,
  timezone: {
    group: 'when',
    shape: is.zone,
    about: "Zone of the job's local times. Default: the file's, else the system's.",
    examples: ['Europe/Berlin', 'UTC'],
  },
  start: {
    group: 'when',
    shape: is.instant,
    about: 'Slots before this do not exist.',
    examples: ['2027-01-01'],
  },
  end: { group: 'when', shape: is.instant, about: 'Slots after this do not exist.' },
  ...DAY_FIELDS,
  jitter: {
    group: 'when',
    shape: is.duration(),
    about:
      'Start up to this much later, by a hash of job and slot, so that many jobs spread out and the same slot always waits the same.',
    default: '0s',
    examples: ['5m'],
  },
  dst: {
    group: 'when',
    shape: dst,
    about: 'What clock changes do to cron times; the default depends on the expression.',
  },
  run: {
    group: 'what',
    shape: is.script,
    about: "A line or script for the shell. `${NAME}` here is the shell's.",
    examples: ['find /srv/uploads -mtime +1 -delete'],
  },
  command: {
    group: 'what',
    shape: list(is.argument, 'write [ program, argument ]'),
    about: 'Program and arguments, without a shell and without interpolation.',
    examples: [['./bin/migrate', '--yes']],
  },
  module: {
    group: 'what',
    shape: is.path,
    about:
      'TypeScript or JavaScript file, relative to the job file, whose exported function is called with a context.',
    examples: ['./tasks/report.ts'],
  },
  export: {
    group: 'what',
    shape: is.word,
    about: 'Name of the exported function of `module`.',
    default: 'default',
  },
  isolation: {
    group: 'what',
    shape: is.choice('process', 'thread'),
    about: 'Where a module runs: in a process of its own, or in a thread (cheaper, less protected).',
    default: 'process',
  },
  with: {
    group: 'what',
    shape: { kind: 'json' },
    about: 'Arguments for `module`, as JSON.',
    examples: [{ recipients: ['ops@example.com'] }],
  },
  params,
  http,
  env: {
    group: 'what',
    shape: environment,
    about:
      'Environment variables. Values are text: quote numbers; or `from` names a file whose content, but for a last line break, is the value.',
    examples: [{ LANG: 'C.UTF-8' }, { DB_PASSWORD: { from: 'secrets/db' } }],
  },
  env_file: {
    group: 'what',
    shape: oneOrMany(is.optionalPath),
    about:
      'Files of NAME=value lines, relative to the job file; with a leading "?" a file may be missing. `env` wins over them.',
    examples: ['.env', ['?.env.local']],
  },
  inherit_env: {
    group: 'what',
    shape: is.flag,
    about: "Whether the daemon's own environment is passed on.",
    default: true,
  },
  cwd: { group: 'what', shape: is.path, about: 'Working directory. Default: the directory of the job file.' },
  shell: {
    group: 'what',
    shape: oneOrMany(is.word),
    about:
      'Shell of `run`: a program, which gets -c and the script, or a whole argv to which the script is appended.',
    default: '/bin/sh',
    examples: ['bash', ['/bin/bash', '-euo', 'pipefail', '-c']],
  },
  user: { group: 'what', shape: is.account, about: 'Run as this user; the daemon must be root.' },
  group: { group: 'what', shape: is.account, about: "Run as this group. Default: the user's own." },
  umask: { group: 'what', shape: is.umask, about: 'File mode creation mask, octal.', examples: ['027'] },
  nice: { group: 'what', shape: is.integer(-20, 19), about: 'Niceness added to the processes.' },
  limits: {
    group: 'what',
    shape: limits,
    about: 'Limits on the processes, as by ulimit. Absent: inherited.',
  },
  stdin: {
    group: 'what',
    shape: is.verbatim,
    about: 'Text given on standard input. Not interpolated. Default: nothing.',
  },
  misfire: {
    group: 'policy',
    shape: misfire,
    about: 'What becomes of slots that passed while they could not start.',
    examples: ['none', { run: 'all', max: 10 }],
  },
  overlap: {
    group: 'policy',
    shape: is.choice('skip', 'queue', 'replace', 'allow'),
    about: 'What happens when a slot falls due while a run of the job is active.',
    default: 'skip',
  },
  max_instances: {
    group: 'policy',
    shape: is.integer(1, 10_000),
    about: `Runs of this job at once. Default 1; with \`overlap: allow\`, ${ALLOWED_INSTANCES}.`,
    default: 1,
  },
  retry: {
    group: 'policy',
    shape: retry,
    about: 'Further attempts after one that did not succeed. A number is the limit.',
    examples: [3, { limit: 5, delay: '1m' }],
  },
  timeout: {
    group: 'policy',
    shape: is.duration(1),
    about: 'Longest time of one attempt. Default: none; 5m of an HTTP request.',
    examples: ['1h'],
  },
  kill_after: {
    group: 'policy',
    shape: is.duration(),
    about: 'From the first signal to KILL.',
    default: '10s',
  },
  kill_signal: {
    group: 'policy',
    shape: is.signal,
    about: 'Signal that asks the process group to end.',
    default: 'TERM',
  },
  on_shutdown: {
    group: 'policy',
    shape: is.choice('wait', 'terminate', 'leave'),
    about: 'What becomes of an active run when the daemon stops.',
    default: 'wait',
  },
  success_exit_codes: {
    group: 'policy',
    shape: oneOrMany(is.integer(0, 255)),
    about: 'Exit codes that count as success.',
    default: [0],
  },
  enabled: {
    group: 'policy',
    shape: is.flag,
    about: 'Whether triggers fire; a disabled job can still be run by hand.',
    default: true,
  },
  priority: {
    group: 'policy',
    shape: is.integer(-1_000_000, 1_000_000),
    about: 'Higher starts first when slots fall due together or wait for a limit.',
    default: 0,
  },
  pool,
  runs_on: runsOn,
  ...SHARD_FIELDS,
  description: { group: 'seen', shape: is.text, about: 'For people.' },
  tags: { group: 'seen', shape: oneOrMany(is.word), about: 'Words to select jobs by.' },
  output: { group: 'seen', shape: output, about: 'What is kept of the output.' },
  notify: {
    group: 'seen',
    shape: notify,
    about: 'Who is told what becomes of it, by names of `notifiers`. A name or a list is `to`.',
    examples: ['ops', { to: 'ops', after: 3, missed: ['ops', 'chat'] }],
  },
  ping: {
    group: 'seen',
    shape: ping,
    about: 'A check, as healthchecks.io has them, that hears of each start and end.',
    examples: ['https://hc.example.com/ping/your-uuid', { url: '${PING_URL}', output: false }],
  },
  expect: {
    group: 'seen',
    shape: expect,
    about: 'What is expected beside success; when it does not come true, `notify: late` is told.',
    examples: [{ duration: '30m', finished_by: '06:00', every: '25h' }],
  },
} as const satisfies Fields;

const jobs = {
  about: 'The jobs, by id: letters, digits, ".", "_" and "-", at most 128.',
  shape: { kind: 'record', key: JOB_ID, keyIs: 'job id', of: map(JOB_FIELDS) },
} as const;

/** The keys at the top of a job file; `defaults` and `jobs` hold JOB_FIELDS. */
export const FILE_FIELDS = {
  timezone: { shape: is.zone, about: "Zone of all jobs that name none. Default: the system's." },
  env: { shape: environment, about: 'Environment variables of every job.' },
  env_file: {
    shape: oneOrMany(is.optionalPath),
    about: 'Env files of every job; with a leading "?" a file may be missing.',
  },
  defaults: {
    shape: map(JOB_FIELDS),
    about:
      "Any job key, for every job. A job's own key wins; maps merge, lists replace; its own trigger or task replaces the default one.",
  },
  notifiers: {
    shape: { kind: 'record', key: NOTIFIER, keyIs: 'notifier name', of: map(NOTIFIER_FIELDS) },
    about: 'Ways to tell people, by the names that `notify` uses. Write secrets as ${NAME}.',
    examples: [{ ops: { mail: 'ops@example.com' }, chat: { webhook: '${SLACK_URL}', format: 'slack' } }],
  },
  calendars,
  pools,
  jobs,
  tests,
  history: {
    shape: history,
    about: 'How much history is kept, and output with it. Runs that are not finished stay in any case.',
    examples: [{ keep: 10_000, max_age: 'none' }],
  },
  include: {
    shape: oneOrMany(is.word),
    about:
      'Further job files: paths or globs, relative to this file. They may not include others; the settings of this file hold for them too.',
    examples: [['jobs.d/*.yaml']],
  },
} as const satisfies Fields;
