/** Jobs that are added and removed while the daemon runs. Whoever adds one runs what they like, as whom the daemon runs. */
import { isAbsolute } from 'node:path';
import type { AddedJobs, Answer } from '../engine/ports-operator.ts';
import { flag, object, optional, text } from './fields.ts';
import { HttpProblem } from './problem.ts';
import { json, route, valueOf, type Reply, type Route } from './route.ts';

const LONGEST_TEXT = 1024 * 1024;
const LONGEST_PATH = 4096;

const directory = optional(
  text("What relative paths are relative to; default: the directory of the daemon's job file", LONGEST_PATH),
);
const job = object('The keys of the job, as in a job file');

const answers = {
  200: { about: 'What changed: nothing, where jobs alike were there', schema: 'AddedJobs' },
  201: { about: 'Jobs were added', schema: 'AddedJobs' },
};

export const jobRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/api/v1/jobs',
    scope: 'admin',
    summary: 'Adds all jobs of a job file, or none; they are kept over restarts',
    body: {
      text: text('A job file: YAML, or JSON', LONGEST_TEXT),
      directory,
      replace: flag('Also in place of jobs of the same id, be they of the job file'),
    },
    answers,
    problems: ['bad_file', 'job_exists', 'stopping'],
    async handle({ body, by }, { operator }) {
      const { text, replace } = body;
      return added(await operator.addJobs({ text, replace, by, directory: directoryOf(body) }));
    },
  }),
  route({
    method: 'POST',
    path: '/api/v1/jobs/{id}',
    scope: 'admin',
    summary: 'Adds a job, unless there is another of this id',
    body: { job, directory },
    answers,
    problems: ['bad_file', 'job_exists', 'stopping'],
    handle: async ({ path, body, by }, { operator }) =>
      added(
        await operator.addJobs({
          text: textOf(path, body.job),
          directory: directoryOf(body),
          replace: false,
          by,
        }),
      ),
  }),
  route({
    method: 'PUT',
    path: '/api/v1/jobs/{id}',
    scope: 'admin',
    summary: 'Adds a job, or puts it in place of the one of this id that was added before',
    body: { job, directory, replace: flag('Also in place of a job of the job file') },
    answers,
    problems: ['bad_file', 'job_exists', 'stopping', 'unknown_job'],
    async handle({ path, body, by }, { operator }) {
      const known = await operator.job(path['id'] ?? '');
      const replace = body.replace || (known.ok && known.value.origin === 'added');
      const request = { text: textOf(path, body.job), directory: directoryOf(body), replace, by };
      return added(await operator.addJobs(request));
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/jobs/{id}',
    scope: 'admin',
    summary:
      'Removes an added job, unless other added jobs follow or need it; an active run of it may end, and one of the same id in the job file comes back',
    answers: { 200: { about: 'It was removed', schema: 'RemovedJob' } },
    problems: ['unknown_job', 'not_added', 'job_needed'],
    handle: async ({ path: { id = '' }, by }, { operator }) =>
      json({ removed: valueOf(await operator.removeJob(id, by)) }),
  }),
];

function added(answer: Answer<AddedJobs>): Reply {
  const { added: ids, changed } = valueOf(answer);
  return json({ added: ids, changed }, ids.length > 0 ? 201 : 200);
}

function textOf({ id = '' }: Readonly<Record<string, string>>, keys: object): string {
  return JSON.stringify({ jobs: { [id]: keys } });
}

function directoryOf({ directory: path }: { readonly directory: string | undefined }): string | undefined {
  if (path === undefined || isAbsolute(path)) return path;
  throw new HttpProblem('bad_body', '"directory" takes an absolute path');
}
