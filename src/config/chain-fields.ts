/** The keys by which jobs follow and need one another: a part of the field table. */
import * as is from './scalars.ts';
import { map, oneOrMany, type Fields, type MapShape } from './shape.ts';

export const after: MapShape = map(
  {
    jobs: {
      shape: oneOrMany(is.word),
      about: 'Ids of the jobs that it follows.',
      examples: [['extract', 'check']],
    },
    on: {
      shape: is.choice('success', 'failure', 'finish'),
      about:
        'Which ends count. A cancelled run is neither success nor failure; a skipped slot is no end of a run.',
      default: 'success',
    },
    when: {
      shape: is.choice('all', 'any'),
      about: 'Wait for all of them, joined by their scheduled time, or start at the first.',
      default: 'all',
    },
  },
  'jobs',
);

export const CHAIN_FIELDS = {
  after: {
    group: 'when',
    shape: after,
    about:
      'Run when other jobs end, with their scheduled time. It excludes the other triggers. Ids alone are `jobs`.',
    examples: ['extract', { jobs: ['extract', 'check'], on: 'finish' }],
  },
  needs: {
    group: 'when',
    shape: oneOrMany(is.word),
    about:
      'Jobs whose newest due run must have succeeded when a slot of this one comes: else the slot waits until one of theirs succeeds.',
    examples: ['extract', ['extract', 'check']],
  },
  needs_timeout: {
    group: 'when',
    shape: is.duration(),
    about: 'How long a slot waits for what it needs.',
    default: '1h',
  },
  needs_failed: {
    group: 'when',
    shape: is.choice('skip', 'fail', 'run'),
    about:
      'What becomes of a slot that waited in vain: skip it, record a run that failed, or run it all the same.',
    default: 'skip',
  },
} as const satisfies Fields;
