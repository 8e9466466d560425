import type { AfterTrigger, NeedsPolicy } from '../../src/chain.ts';
import type { JobDefinition, Outcome, Policy, Schedule, Telling } from '../../src/model.ts';

/** What a test says of a job; everything else is as an empty job file would have it. */
export interface JobSketch {
  readonly cron?: string | readonly string[];
  readonly every?: number;
  readonly at?: string;
  readonly startup?: 'daemon' | 'boot';
  readonly after?: readonly string[] | (Partial<AfterTrigger> & Pick<AfterTrigger, 'jobs'>);
  readonly needs?: NeedsPolicy;
  readonly schedule?: Partial<Schedule>;
  readonly policy?: Partial<Policy>;
  readonly enabled?: boolean;
  readonly description?: string;
  readonly telling?: Telling;
  /** How many parts its runs have. */
  readonly shards?: number;
}

const POLICY: Policy = {
  misfire: { run: 'latest', grace: 3_600_000, max: 100 },
  overlap: 'skip',
  maxInstances: 1,
  retry: { limit: 0, delay: 10_000, backoff: 'exponential', maxDelay: 300_000, jitter: false },
  killAfter: 10_000,
  killSignal: 'SIGTERM',
  onShutdown: 'wait',
  successExitCodes: [0],
  priority: 0,
};

function afterOf(after: NonNullable<JobSketch['after']>): AfterTrigger {
  const given = 'jobs' in after ? after : { jobs: after };
  return { kind: 'after', on: 'success', when: 'all', ...given };
}

/** A job definition for the engine; its task is never run, only handed to an executor. */
export function job(id: string, sketch: JobSketch): JobDefinition {
  const { cron, every, at, startup, after } = sketch;
  const triggers: Schedule['triggers'] = [
    ...(cron === undefined ? [] : [{ kind: 'cron', expressions: [cron].flat() } as const]),
    ...(every === undefined ? [] : [{ kind: 'every', period: every, anchor: 0 } as const]),
    ...(at === undefined ? [] : [{ kind: 'at', instants: [Date.parse(at)] } as const]),
    ...(startup === undefined ? [] : [{ kind: 'startup', when: startup } as const]),
    ...(after === undefined ? [] : [afterOf(after)]),
  ];
  return {
    id,
    source: { file: 'jobs.yaml', line: 1 },
    ...(sketch.description === undefined ? {} : { description: sketch.description }),
    tags: [],
    enabled: sketch.enabled ?? true,
    schedule: { triggers, timezone: 'UTC', dst: {}, jitter: 0, ...sketch.schedule },
    task: { kind: 'run', script: 'true', shell: ['/bin/sh', '-c'] },
    surroundings: { cwd: '/', env: {}, inheritEnv: true, limits: {} },
    policy: { ...POLICY, ...sketch.policy },
    output: { maxSize: 1_000_000, keep: 10, log: 'failures' },
    ...(sketch.needs === undefined ? {} : { needs: sketch.needs }),
    ...(sketch.shards === undefined
      ? {}
      : {
          shards: Array.from({ length: sketch.shards }, (_, index) => ({ index, total: sketch.shards ?? 0 })),
        }),
    ...(sketch.telling === undefined ? {} : { telling: sketch.telling }),
  };
}

export const SUCCEEDED: Outcome = { kind: 'succeeded', exitCode: 0 };
export const FAILED: Outcome = { kind: 'failed', exitCode: 1 };

/** `a` at 01:00, then `b` and `c`, then `d`. */
export function diamond(after: Partial<AfterTrigger> = {}): JobDefinition[] {
  return [
    job('d', { after: { jobs: ['b', 'c'], ...after } }),
    job('c', { after: ['a'] }),
    job('b', { after: ['a'] }),
    job('a', { cron: '0 1 * * *' }),
  ];
}
