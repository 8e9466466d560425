/** The keys by which jobs share limits: a part of the field table. */
import type { PoolUse } from '../model.ts';
import * as is from './scalars.ts';
import { map, type Field, type MapShape } from './shape.ts';

/** A pool's name. The daemon's own bounds begin with "_". */
export const POOL = /^(?!none$)[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Stands for no pool, where `defaults` has one. */
export const NO_POOL = 'none';

const MOST_SLOTS = 1_000_000;

const use: MapShape = map(
  {
    name: { shape: is.word, about: 'Which of the `pools`; `none` for none, where `defaults` names one.' },
    slots: { shape: is.integer(1, MOST_SLOTS), about: 'How many slots of it one run takes.', default: 1 },
    max_wait: {
      shape: is.duration(1),
      about:
        'Longest wait in its line; then the slot is skipped (limit), and a run by hand ends unstarted. It counts from when the slot was due, or had what else it waited for (`overlap`, `needs`), and on through restarts. Default: as long as `misfire.grace` allows a start to be late.',
      examples: ['10m'],
    },
  },
  'name',
);

/** The key `pool` of a job. */
export const pool = {
  group: 'policy',
  shape: use,
  about:
    'What a run takes of one of the `pools`, from its start to its end. Without enough free slots it waits in line: higher `priority` first, then the earlier due; the first in line is passed by nobody who needs the same pool. A name alone is one slot of it.',
  examples: ['database', { name: 'database', slots: 2, max_wait: '10m' }],
} as const satisfies Field;

/** The key `pools` of a file. */
export const pools = {
  shape: { kind: 'record', key: POOL, keyIs: 'pool name', of: is.integer(1, MOST_SLOTS) },
  about:
    'Limits that runs of different jobs share: how many slots each pool has. A pool of 1 lets no two of its jobs run at once.',
  examples: [{ database: 2, license: 1 }],
} as const satisfies Field;

/** What the reader makes of the key `pool`. */
export interface PoolValues {
  readonly name?: string;
  readonly slots?: number;
  readonly max_wait?: number;
}

/** What a run takes, of the values of `pool`; undefined: of no pool. */
export function poolOf({ name, slots = 1, max_wait: maxWait }: PoolValues): PoolUse | undefined {
  if (name === undefined || name === NO_POOL) return undefined;
  return { name, slots, ...(maxWait === undefined ? {} : { maxWait }) };
}
