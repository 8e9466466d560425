import type { Outcome } from '../model.ts';
import type { Status } from '../engine/ports-operator.ts';
import { FAILED } from './history.ts';

/**
 * A condition on runs `r` in SQL. Undefined: no run can be asked for so. The words are ours, never a user's.
 * @param outcome the kind of a run's outcome, as the driver's tables have it
 */
export function statusCondition(statuses: readonly Status[], outcome: string): string | undefined {
  const kinds = statuses.flatMap((status) => (status === 'failed' ? [...FAILED] : [status as string]));
  const outcomes = kinds.filter((kind): kind is Outcome['kind'] => kind !== 'active' && kind !== 'skipped');
  const conditions = [
    ...(outcomes.length > 0 ? [`${outcome} IN (${outcomes.map((kind) => `'${kind}'`).join(', ')})`] : []),
    ...(statuses.includes('active') ? ["r.state <> 'finished'"] : []),
  ];
  return conditions.length === 0 ? undefined : `(${conditions.join(' OR ')})`;
}
