/** Keys that say what is kept of runs: their output, and their rows. */
import * as is from './scalars.ts';
import { map } from './shape.ts';

export const output = map({
  max_size: {
    shape: is.size,
    about: "Bytes kept of one attempt's output: its head and its tail.",
    default: '10MB',
  },
  keep: { shape: is.integer(0, 100_000), about: 'Runs of this job whose output is kept.', default: 10 },
  log: {
    shape: is.choice('none', 'failures', 'all'),
    about: "Whose output is copied to the daemon's log.",
    default: 'failures',
  },
});

export const history = map({
  keep: {
    shape: is.integer(1, 1_000_000),
    about: 'Runs of each job, and stretches of skipped slots, that are kept: the newest.',
    default: 1000,
  },
  max_age: {
    shape: is.age,
    about: 'What is older goes, however little there is of it; `none`: no age is too old.',
    default: '90d',
    examples: ['1w', 'none'],
  },
});
