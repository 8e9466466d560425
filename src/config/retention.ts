import type { Duration, Retention } from '../model.ts';
import { FILE_FIELDS } from './fields.ts';
import { defaultsOf } from './shape.ts';

const HISTORY = defaultsOf(FILE_FIELDS.history.shape.fields) as { keep: number; max_age: Duration };

/** How much history is kept, of the values of `history:`; `none` is said by leaving the age out. */
export function retentionOf(own: { keep?: number; max_age?: Duration | 'none' } = {}): Retention {
  const { keep, max_age } = { ...HISTORY, ...own };
  return max_age === 'none' ? { keep } : { keep, maxAge: max_age };
}
