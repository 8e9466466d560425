/** What the daemon would do in a time to come. */
import { instant, optional, text, whole } from './fields.ts';
import { HttpProblem } from './problem.ts';
import { route, valueOf, type Route } from './route.ts';

export const simulateRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/api/v1/simulate',
    scope: 'read',
    summary:
      'What would run, wait and be skipped in a window of time, by the lengths of history; in a thread of its own, one at a time',
    body: {
      from: optional(instant('Where the window begins; default: now')),
      to: optional(instant('Where it ends, at most 366 days later; default: a day later')),
      seed: whole('Draw the lengths of runs from those in history, instead of taking their median', {
        least: 0,
        most: 1_000_000_000,
      }),
      text: optional(
        text("A job file in place of the daemon's own; with the scope admin alone", 1024 * 1024),
      ),
    },
    answers: {
      200: {
        about: 'Runs and skips, and what stands out; not whole where it grew too large',
        schema: 'Simulation',
      },
    },
    problems: ['past', 'bad_file', 'too_many', 'simulation_failed', 'stopping'],
    async handle({ body, scope }, { operator }) {
      // A job file can name files of this host, which are read and told in its errors.
      if (body.text !== undefined && scope !== 'admin')
        throw new HttpProblem('too_small_scope', 'another job file takes the scope admin');
      return { kind: 'text', text: valueOf(await operator.simulate(body)), type: 'application/json' };
    },
  }),
];
