/** Questions about how the runs of all jobs lie in time. */
import type { Window } from '../engine/ports-timeline.ts';
import type { Duration } from '../model.ts';
import { instant, listOf, whole } from './fields.ts';
import { HttpProblem } from './problem.ts';
import { json, route, valueOf, type Route } from './route.ts';
import { hourShape, laneShape, loadShape } from './shapes-timeline.ts';

const HOUR: Duration = 3_600_000;
const DAY = 24 * HOUR;

const window = {
  since: instant('The window begins here'),
  until: instant('It ends before this'),
};

/** @throws HttpProblem */
function checked({ since, until }: Window, longest: Duration): Window {
  if (until <= since) throw new HttpProblem('bad_request', '"until" is not later than "since"');
  if (until - since <= longest) return { since, until };
  const wide = longest < 2 * DAY ? `${longest / HOUR} hours` : `${longest / DAY} days`;
  throw new HttpProblem('bad_request', `a window of at most ${wide} can be asked for`);
}

export const timelineRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/api/v1/hours',
    scope: 'read',
    summary:
      'How many runs of all jobs were scheduled in each hour, by how they ended, and how late they started',
    query: window,
    answers: { 200: { about: 'The hours, as far as they are recorded', schema: 'Hours' } },
    problems: ['history_unavailable'],
    async handle({ query }, { operator }) {
      const { hours, countedFrom } = valueOf(await operator.timeline.hours(checked(query, 31 * DAY)));
      const from = countedFrom === undefined ? null : new Date(countedFrom).toISOString();
      return json({ hours: hours.map(hourShape), countedFrom: from });
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/timeline',
    scope: 'read',
    summary: 'The runs and planned times of some jobs in a window of time, one lane a job',
    query: {
      ...window,
      jobs: listOf('Ids, with commas between', { most: 100, longest: 128 }),
      parts: whole('Into how many parts the window is cut: what lies within one is told as one', {
        least: 10,
        most: 2000,
        otherwise: 400,
      }),
    },
    answers: { 200: { about: 'Their lanes, in the order of the ids', schema: 'Lanes' } },
    problems: ['history_unavailable'],
    async handle({ query: { jobs: jobIds, parts, ...query } }, { operator }) {
      const { timeline } = operator;
      const lanes = valueOf(await timeline.lanes({ ...checked(query, 366 * DAY), jobIds, parts }));
      return json({ lanes: lanes.map(laneShape) });
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/load',
    scope: 'read',
    summary:
      'How many runs of all jobs were active, or will start, minute by minute, and the busiest minutes',
    query: window,
    answers: { 200: { about: 'The load', schema: 'Load' } },
    problems: ['history_unavailable'],
    async handle({ query }, { operator }) {
      return json(loadShape(valueOf(await operator.timeline.load(checked(query, 31 * DAY)))));
    },
  }),
];
