import type { JobDefinition, Policy, Schedule, Telling } from '../../src/model.ts';

/** What a test says of a job; everything else is as an empty job file would have it. */
export interface JobSketch {
  readonly cron?: string | readonly string[];
  readonly every?: number;
  readonly at?: string;
  readonly startup?: 'daemon' | 'boot';
  readonly schedule?: Partial<Schedule>;
  readonly policy?: Partial<Policy>;
  readonly enabled?: boolean;
  readonly description?: string;
  readonly telling?: Telling;
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

/** A job definition for the engine; its task is never run, only handed to an executor. */
export function job(id: string, sketch: JobSketch): JobDefinition {
  const { cron, every, at, startup } = sketch;
  const triggers: Schedule['triggers'] = [
    ...(cron === undefined ? [] : [{ kind: 'cron', expressions: [cron].flat() } as const]),
    ...(every === undefined ? [] : [{ kind: 'every', period: every, anchor: 0 } as const]),
    ...(at === undefined ? [] : [{ kind: 'at', instants: [Date.parse(at)] } as const]),
    ...(startup === undefined ? [] : [{ kind: 'startup', when: startup } as const]),
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
    ...(sketch.telling === undefined ? {} : { telling: sketch.telling }),
  };
}
