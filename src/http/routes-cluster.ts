/** The cluster: its nodes, and the job file that is in force on all of them. */
import { flag } from './fields.ts';
import { clusterOf, copyFields, copyIn, LONGEST_SET } from './file-copy.ts';
import type { ProblemCode } from './problem.ts';
import { json, route, valueOf, type Api, type Asked, type Reply, type Route } from './route.ts';
import { clusterShape, fileShape, nodeShape, publishedShape } from './shapes-cluster.ts';

const OF_CLUSTERS: readonly ProblemCode[] = ['no_cluster', 'cluster_away'];

const drainTo =
  (on: boolean) =>
  async ({ path: { name = '' }, by }: Asked<unknown, unknown>, api: Api): Promise<Reply> =>
    json(nodeShape(valueOf(await clusterOf(api.node).drain(name, on, by))));

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
    handle: async (_, api) => json(clusterShape(valueOf(await clusterOf(api.node).view()))),
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
    method: 'GET',
    path: '/api/v1/file',
    // Its texts may hold what not everybody is to see.
    scope: 'admin',
    local: true,
    summary: 'The published job file that is in force, with what it includes',
    answers: { 200: { about: 'Its texts', schema: 'File' } },
    problems: [...OF_CLUSTERS, 'no_file'],
    handle: async (_, api) => json(fileShape(valueOf(await clusterOf(api.node).inForce()))),
  }),
  route({
    method: 'PUT',
    path: '/api/v1/file',
    scope: 'admin',
    longest: LONGEST_SET,
    summary:
      'Publishes a job file: if it is good, it is in force on every node, whatever copies they have; with dry_run only tells what ' +
      'that would change',
    query: { dry_run: flag('Change nothing') },
    body: copyFields,
    answers: { 200: { about: 'Its version, and what it changed', schema: 'Published' } },
    problems: [...OF_CLUSTERS, 'bad_file', 'stopping'],
    async handle({ body, query, by }, api) {
      const request = { ...copyIn(body), dryRun: query.dry_run, by };
      return json(publishedShape(valueOf(await clusterOf(api.node).publish(request))));
    },
  }),
];
