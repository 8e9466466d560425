/** The cluster: its nodes, and the job file that is in force on all of them. */
import type { ClusterOperator, PublishRequest } from '../engine/ports-cluster.ts';
import { text, type Field } from './fields.ts';
import { HttpProblem, type ProblemCode } from './problem.ts';
import { json, route, valueOf, type Api, type Asked, type Reply, type Route } from './route.ts';
import { clusterShape, nodeShape, publishedShape } from './shapes-cluster.ts';

const OF_CLUSTERS: readonly ProblemCode[] = ['no_cluster', 'cluster_away'];

/** @throws HttpProblem where there is none */
function clusterOf({ node: { cluster } }: Api): ClusterOperator {
  if (cluster !== undefined) return cluster;
  throw new HttpProblem('no_cluster', 'this daemon is alone: it was started without --store postgres://', {
    hint: 'see "more than one machine" in the README',
  });
}

const drainTo =
  (on: boolean) =>
  async ({ path: { name = '' }, by }: Asked<unknown, unknown>, api: Api): Promise<Reply> =>
    json(nodeShape(valueOf(await clusterOf(api).drain(name, on, by))));

/** As PUT /file takes them. */
const MOST_DOCUMENTS = 1000;
/** A set of 100,000 jobs; what one node passes on to another may be as long. */
const LONGEST_SET = 16 * 1024 * 1024;
const LONGEST_PATH = 4096;

function documents(about: string): Field<PublishRequest['documents']> {
  const document = {
    type: 'object',
    properties: { path: { type: 'string', maxLength: LONGEST_PATH }, text: { type: 'string' } },
    required: ['path', 'text'],
    additionalProperties: false,
  };
  return {
    schema: { type: 'array', items: document, minItems: 1, maxItems: MOST_DOCUMENTS },
    about,
    required: true,
    read(value) {
      const isGood = Array.isArray(value) && value.length > 0 && value.length <= MOST_DOCUMENTS;
      if (isGood && value.every(isDocument)) return value.map(({ path, text }) => ({ path, text }));
      throw new HttpProblem(
        'bad_body',
        `"documents" takes 1 to ${MOST_DOCUMENTS} of {"path": "…", "text": "…"}`,
      );
    },
  };
}

function isDocument(value: unknown): value is { readonly path: string; readonly text: string } {
  if (typeof value !== 'object' || value === null) return false;
  const { path, text, ...rest } = value as Readonly<Record<string, unknown>>;
  const isPath = typeof path === 'string' && path !== '' && path.length <= LONGEST_PATH;
  return isPath && typeof text === 'string' && Object.keys(rest).length === 0;
}

export const clusterRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/api/v1/nodes',
    scope: 'read',
    // Asked above all while nobody conducts.
    local: true,
    summary: 'The nodes of the cluster, which of them conducts, and what waits for some of them',
    answers: { 200: { about: 'As of the last two seconds', schema: 'Cluster' } },
    problems: OF_CLUSTERS,
    handle: async (_, api) => json(clusterShape(valueOf(await clusterOf(api).view()))),
  }),
  route({
    method: 'POST',
    path: '/api/v1/nodes/{name}/drain',
    scope: 'admin',
    local: true,
    summary: 'Lets a node finish what it has and take nothing new, also after a restart, until it is resumed',
    answers: { 200: { about: 'The node', schema: 'Node' } },
    problems: [...OF_CLUSTERS, 'unknown_node'],
    handle: drainTo(true),
  }),
  route({
    method: 'POST',
    path: '/api/v1/nodes/{name}/resume',
    scope: 'admin',
    local: true,
    summary: 'Lets a node take again',
    answers: { 200: { about: 'The node', schema: 'Node' } },
    problems: [...OF_CLUSTERS, 'unknown_node'],
    handle: drainTo(false),
  }),
  route({
    method: 'PUT',
    path: '/api/v1/file',
    scope: 'admin',
    longest: LONGEST_SET,
    summary: 'Publishes a job file: if it is good, it is in force on every node, whatever copies they have',
    body: {
      documents: documents('The job file, then what it includes; paths as the publisher has them'),
      directory: text('What relative paths in it are relative to; absolute', LONGEST_PATH),
    },
    answers: { 200: { about: 'Its version, and what it changed', schema: 'Published' } },
    problems: [...OF_CLUSTERS, 'bad_file', 'stopping'],
    async handle({ body, by }, api) {
      const cluster = clusterOf(api);
      if (!body.directory.startsWith('/'))
        throw new HttpProblem('bad_body', '"directory" takes an absolute path');
      return json(publishedShape(valueOf(await cluster.publish({ ...body, by }))));
    },
  }),
];
