import type { Instant, Schedule } from '../model.ts';
export function clockChangeNote(_schedule: Schedule, _at: Instant): string | undefined {
  return undefined;
}
