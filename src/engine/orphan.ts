import type { Duration, JobDefinition, JobId, RunRecord } from '../model.ts';
import { isStillWanted } from '../schedule/resume.ts';

/** Whether the definition is one that `orphan` made. */
export function isOrphan({ source }: JobDefinition): boolean {
  return source.line === 0;
}

/**
 * Stands in for the definition of a job that left the file while no daemon ran, but has a run that is not over. It has no
 * triggers, and its run is not tried again: nobody knows any more what that would be.
 */
export function orphan(id: JobId): JobDefinition {
  return {
    id,
    source: { file: '', line: 0 },
    tags: [],
    enabled: false,
    schedule: { triggers: [], timezone: 'UTC', dst: {}, jitter: 0 },
    task: { kind: 'command', argv: [] },
    surroundings: { cwd: '/', env: {}, inheritEnv: true, limits: {} },
    policy: {
      misfire: { run: 'none', max: 0 },
      overlap: 'skip',
      maxInstances: 1,
      retry: { limit: 0, delay: 0, backoff: 'constant', maxDelay: 0, jitter: false },
      killAfter: 10_000,
      killSignal: 'TERM',
      onShutdown: 'wait',
      successExitCodes: [0],
      priority: 0,
    },
    output: { maxSize: 10_000_000, keep: 10, log: 'failures' },
  };
}

/** Whether a run that was never begun is begun after all. What is replayed was late from the beginning, and is wanted of a disabled job too. */
export function isWanted(
  { definition, claim }: { readonly definition: JobDefinition; readonly claim: RunRecord },
  late: Duration,
): boolean {
  if (claim.replay !== undefined) return !isOrphan(definition);
  return definition.enabled && isStillWanted(definition.policy.misfire, late);
}
