/** Replays: past slots that become runs. */
import type { ReplayRequest } from '../engine/ports-replays.ts';
import { flag, instant, oneOf, optional, text, whole } from './fields.ts';
import { HttpProblem } from './problem.ts';
import { json, route, valueOf, type Route } from './route.ts';
import { replayPlanShape, replayShape, replayViewShape } from './shapes.ts';

const ORDERS = ['oldest', 'newest'] as const;

export const replayRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/api/v1/replays',
    scope: 'read',
    summary: 'Replays under way, and the newest of those that are over, newest first',
    answers: { 200: { about: 'How each stands', schema: 'ReplayList' } },
    handle: (_, { operator }) => json({ replays: operator.replays.list().map(replayViewShape) }),
  }),
  route({
    method: 'GET',
    path: '/api/v1/replays/{id}',
    scope: 'read',
    summary: 'One replay, by its id or the beginning of it',
    answers: { 200: { about: 'How it stands', schema: 'ReplayView' } },
    problems: ['unknown_replay'],
    handle: ({ path: { id = '' } }, { operator }) =>
      json(replayViewShape(valueOf(operator.replays.find(id)))),
  }),
  route({
    method: 'POST',
    path: '/api/v1/replays',
    scope: 'run',
    summary:
      'Runs past slots of a job, one after another, with their scheduled times; it goes on whatever becomes of the daemon',
    body: {
      job: text('The job', 128),
      from: instant('The earliest scheduled time'),
      to: optional(instant('The latest scheduled time, at most now; else now')),
      order: optional(oneOf('Which slots come first; else oldest', ORDERS)),
      missing_only: flag('Leave out slots that have a run that succeeded, or is active'),
      parallel: whole('Most of its runs at once; no more than slots of the job may run together', {
        least: 1,
        most: 10_000,
        otherwise: 1,
      }),
      dry_run: flag('Change nothing, and tell the slots'),
    },
    answers: {
      200: { about: 'What it would do', schema: 'ReplayPlan' },
      202: { about: 'The replay that was begun', schema: 'Replay' },
    },
    problems: [
      'unknown_job',
      'no_slots',
      'too_many_slots',
      'too_parallel',
      'too_many',
      'replay_active',
      'history_unavailable',
      'stopping',
    ],
    async handle({ body, by }, { operator }) {
      const { job: jobId, from, to = Number.MAX_SAFE_INTEGER, order = 'oldest', parallel } = body;
      if (to < from) throw new HttpProblem('bad_body', '"to" is before "from"');
      const request: ReplayRequest = {
        jobId,
        from,
        to,
        order,
        missingOnly: body.missing_only,
        parallel,
        by,
      };
      if (body.dry_run) return json(replayPlanShape(valueOf(await operator.replays.plan(request))));
      const replay = valueOf(await operator.replays.start(request));
      return json(replayShape(replay), 202, { location: `/api/v1/replays/${replay.id}` });
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/replays/{id}',
    scope: 'run',
    summary: 'Cancels a replay: nothing more of it starts, and its active runs are cancelled',
    answers: { 200: { about: 'The replay as it stands', schema: 'Replay' } },
    problems: ['unknown_replay', 'replay_over'],
    handle: async ({ path: { id = '' }, by }, { operator }) =>
      json(replayShape(valueOf(await operator.replays.cancel(id, by)))),
  }),
];
