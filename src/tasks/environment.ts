/** The environment of a run. */
import type { AttemptSpec } from '../engine/ports.ts';
import type { Arguments, Shard, Upstream } from '../model.ts';
import { variableOf } from '../schedule/params.ts';

/** What is for the daemon alone: a job that had these could ping its watchdog, take its sockets or load code into it. */
const DAEMONS_OWN = /^(?:NODE_OPTIONS|NOTIFY_SOCKET|WATCHDOG_.*|LISTEN_.*|TSCHED_.*)$/v;

/** What a shell, and so the spawner, would take as orders to itself: with TMOUT it would end when nothing came for so long. */
const SHELLS_OWN =
  /^(?:SHELLOPTS|BASHOPTS|POSIXLY_CORRECT|BASH_XTRACEFD|BASH_COMPAT|TMOUT|FUNCNEST|EXECIGNORE|ts_.*)$/v;

type Environment = Readonly<Record<string, string | undefined>>;

/** The part of the daemon's environment that jobs inherit. */
export function inheritable(environment: Environment): Record<string, string> {
  const inherited: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && !DAEMONS_OWN.test(name) && !SHELLS_OWN.test(name)) inherited[name] = value;
  }
  return inherited;
}

/** What a process is told of its run, and what its job adds to that. Instants are RFC 3339 in UTC. */
export function runEnvironment(spec: AttemptSpec): Record<string, string> {
  const { previousSuccessAt } = spec;
  return {
    ...spec.surroundings.env,
    TSCHED_JOB_ID: spec.jobId,
    TSCHED_RUN_ID: spec.runId,
    TSCHED_ATTEMPT: String(spec.attempt),
    TSCHED_SCHEDULED_AT: new Date(spec.scheduledAt).toISOString(),
    ...(previousSuccessAt !== undefined && {
      TSCHED_PREVIOUS_SUCCESS_AT: new Date(previousSuccessAt).toISOString(),
    }),
    TSCHED_CAUSE: spec.cause,
    ...givenVariables('TSCHED_WITH', spec.with),
    ...givenVariables('TSCHED_PARAM', spec.params),
    ...upstreamVariables(spec.upstream),
    ...shardVariables(spec.shard),
  };
}

/** How the jobs ended that the run follows or needs, and what they handed over. */
function upstreamVariables(upstream: readonly Upstream[] = []): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const { jobId, outcome, result } of upstream) {
    const name = `TSCHED_NEEDS_${variableOf(jobId)}`;
    variables[`${name}_OUTCOME`] = outcome;
    if (result === undefined) continue;
    const text = typeof result === 'string' ? result : JSON.stringify(result);
    // No variable can hold it.
    variables[`${name}_RESULT`] = text.replaceAll('\0', '\uFFFD');
  }
  return variables;
}

/** Which part of the run it is. */
function shardVariables(shard: Shard | undefined): Record<string, string> {
  if (shard === undefined) return {};
  const variables: Record<string, string> = {
    TSCHED_SHARD_INDEX: String(shard.index),
    TSCHED_SHARD_TOTAL: String(shard.total),
  };
  for (const [name, value] of Object.entries(shard.values ?? {}))
    variables[`TSCHED_MATRIX_${variableOf(name)}`] = value;
  return variables;
}

/** Each argument by its name, and all that was given along as JSON. */
function givenVariables(
  prefix: 'TSCHED_WITH' | 'TSCHED_PARAM',
  given: Arguments | undefined,
): Record<string, string> {
  if (given === undefined) return {};
  const variables: Record<string, string> =
    prefix === 'TSCHED_WITH' ? { [prefix]: JSON.stringify(given) } : {};
  for (const [name, value] of Object.entries(given)) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    variables[`${prefix}_${variableOf(name)}`] = text;
  }
  return variables;
}
