import type { Outcome } from '../../model.ts';
import type { Status } from '../../engine/ports-operator.ts';
import { FAILED } from '../history.ts';

/** Undefined: no run can be asked for so. The words are ours, never a user's. */
export function statusCondition(statuses: readonly Status[]): string | undefined {
  const kinds = statuses.flatMap((status) => (status === 'failed' ? [...FAILED] : [status as string]));
  const outcomes = kinds.filter((kind): kind is Outcome['kind'] => kind !== 'active' && kind !== 'skipped');
  const conditions = [
    ...(outcomes.length > 0
      ? [`r.outcome ->> 'kind' IN (${outcomes.map((kind) => `'${kind}'`).join(', ')})`]
      : []),
    ...(statuses.includes('active') ? ["r.state <> 'finished'"] : []),
  ];
  return conditions.length === 0 ? undefined : `(${conditions.join(' OR ')})`;
}
