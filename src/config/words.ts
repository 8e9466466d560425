/** Keys that are not ours: what other tools call things, what is still to come, and what was probably meant. */
import { suggest } from '../schedule/suggest.ts';

/** Other tools' words for job keys, and what to write instead. Keys are compared without case, `-` and `_`. */
const FOREIGN_WORDS = {
  cwd: 'workdir working_dir working_directory dir directory chdir',
  cron: 'schedule crontab cron_expression cronexpr when',
  every: 'interval period each repeat',
  at: 'date run_at once',
  startup: 'on_startup run_on_start on_boot reboot',
  after: 'depends_on depends dependencies follows upstream run_after triggered_by',
  run: 'cmd script exec shell_command bash sh',
  command: 'args argv arguments',
  module: 'task import handler function file',
  http: 'request curl fetch webhook endpoint',
  with: 'params parameters input inputs data',
  timezone: 'tz time_zone zone',
  env: 'environment envs variables vars',
  env_file: 'dotenv env_files environment_file',
  timeout: 'timeout_minutes timeout_sec timeout_seconds execution_timeout time_limit max_runtime',
  overlap: 'concurrency_policy overlap_policy concurrency coalesce',
  max_instances: 'max_concurrent max_concurrency parallelism',
  retry: 'retries backoff_limit max_retries attempts max_attempts',
  enabled: 'suspend disabled active paused disable',
  misfire: 'starting_deadline_seconds catchup catch_up misfire_grace_time persistent',
  jitter: 'random_delay randomized_delay splay',
  kill_signal: 'stop_signal signal',
  kill_after: 'grace grace_period kill_timeout stop_timeout',
  only: 'only_on calendar run_on',
  exclude: 'skip_on except holidays exclude_dates blackout',
  start: 'start_date starts_at not_before',
  end: 'end_date ends_at not_after expires',
  limits: 'ulimits resources rlimits',
  success_exit_codes: 'exit_codes success_codes ok_codes',
  description: 'desc comment about summary title',
  tags: 'labels groups',
  history: 'retention history_limit log_retention keep_history',
  notify: 'notifications alert alerts mailto mail_to on_failure onfailure email report_to',
  ping: 'healthcheck healthchecks heartbeat check_url ping_url',
  pool: 'mutex lock semaphore exclusive resource',
  shards: 'parallelism array partitions completions splits fan_out',
  matrix: 'strategy axes dimensions variants',
  runs_on:
    'node_selector node_labels node_name node_affinity affinity constraint constraints placement worker_group runner_labels',
  pools: 'mutexes semaphores locks',
  expect: 'sla expected deadline',
  notifiers: 'receivers channels contacts notifier',
};

let foreignWords: ReadonlyMap<string, string> | undefined;

/** Ours by theirs. Made when the first unknown key is met. */
function foreignMap(): ReadonlyMap<string, string> {
  return (foreignWords ??= new Map(
    Object.entries(FOREIGN_WORDS).flatMap(([ours, theirs]) =>
      theirs.split(' ').map((word) => [plain(word), ours] as const),
    ),
  ));
}

/** Advice that is more than another word. */
const ADVICE = new Map([
  ['labels', 'write tags: for words to select jobs by, or runs_on: for labels of the nodes that may run it'],
  ['utc', 'write timezone: UTC'],
  ['suspend', 'write enabled: false'],
  ['disabled', 'write enabled: false'],
  ['disable', 'write enabled: false'],
  ['paused', 'write enabled: false'],
  ['name', 'the key under jobs: is the name; use description: for words'],
  ['id', 'the key under jobs: is the id'],
  ['retries', 'write retry: 3, or retry: { limit: 3, delay: 10s }'],
  ['history', 'history: { keep: 1000, max_age: 90d } stands at the top of the file, for all jobs'],
  ['dependson', 'write after: to start when others end, or needs: to wait for them at its own times'],
  ['depends', 'write after: to start when others end, or needs: to wait for them at its own times'],
  ['shelltrue', 'run: is always a shell line'],
]);

export interface KeyProblem {
  readonly message: string;
  readonly hint?: string;
  /** The key that was probably meant. */
  readonly meant?: string;
}

/** What to say of a key that none of `known` is. */
export function unknownKey(key: string, known: readonly string[], foreign: boolean): KeyProblem {
  const folded = plain(key);
  const message = `unknown key "${key}"`;
  const ours =
    known.find((word) => plain(word) === folded) ?? (foreign ? foreignMap().get(folded) : undefined);
  const meant = ours !== undefined && known.includes(ours) ? ours : nearest(key, known, foreign);
  const advice = foreign ? ADVICE.get(folded) : undefined;
  if (meant === undefined) return { message, hint: advice ?? `known keys: ${known.join(', ')}` };
  return { message, hint: advice ?? `did you mean "${meant}"?`, meant };
}

/** The nearest of our words, or ours for the nearest of the foreign ones. */
function nearest(key: string, known: readonly string[], foreign: boolean): string | undefined {
  const near = suggest(key, known);
  if (near !== undefined || !foreign) return near;
  const ours = foreignMap().get(suggest(plain(key), foreignMap().keys()) ?? '');
  return ours !== undefined && known.includes(ours) ? ours : undefined;
}

function plain(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, '');
}
