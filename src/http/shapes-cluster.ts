/** The JSON of a cluster: see shapes.ts. */
import { join } from 'node:path';
import {
  NODE_STATES,
  type ClusterView,
  type FileCopy,
  type FileInForce,
  type NodeView,
  type Published,
} from '../engine/ports-cluster.ts';
import type { ReloadPlan } from '../engine/ports-operator.ts';
import type { Schema } from './fields.ts';
import { iso, milliseconds, planShape } from './shapes.ts';
import { all, bool, list, one, orNull, string, time, whole } from './schema-words.ts';

export function nodeShape({ startedAt, heardAgo, skew, ...node }: NodeView): object {
  return {
    ...node,
    startedAt: iso(startedAt),
    heardAgoMs: milliseconds(heardAgo),
    skewMs: milliseconds(skew),
  };
}

export function clusterShape({ nodes, conductor, term, fileVersion, queued }: ClusterView): object {
  return {
    nodes: nodes.map(nodeShape),
    conductor: nodes.find(({ id }) => id === conductor)?.name ?? null,
    term,
    fileVersion: fileVersion ?? null,
    queued: queued.map(({ labels, module, count, oldest }) => ({
      labels,
      module: module ?? null,
      count,
      oldestMs: milliseconds(oldest),
    })),
  };
}

export function publishedShape({ version, changed, plan }: Published): object {
  return { version, changed, plan: planShape(plan) };
}

export function fileShape({ version, by, at, documents, directory, timezone }: FileInForce): object {
  return { version, by, at: iso(at), documents, directory, timezone: timezone ?? null };
}

/** @param published in a cluster: the copy that was read, and the version that it is, or would be */
export function reloadShape(
  plan: ReloadPlan,
  published?: { readonly version: number; readonly copy: FileCopy },
): object {
  const { version, copy } = published ?? {};
  const file = copy && join(copy.directory, copy.documents[0]?.path ?? '');
  return { ...planShape(plan), file: file ?? null, version: version ?? null };
}

const node = all({
  id: { type: 'string', format: 'uuid' },
  name: string,
  state: one(...NODE_STATES),
  conducts: bool,
  schedules: { ...bool, description: 'Whether it may conduct; else it only works' },
  labels: list(string),
  slots: { ...whole, description: 'Attempts that it runs at once at most' },
  busy: { ...whole, description: 'Attempts that it has now' },
  host: string,
  pid: whole,
  version: string,
  startedAt: time,
  heardAgoMs: whole,
  skewMs: { ...whole, description: "Its clock minus the database's" },
  file: {
    ...one('same', 'differs', 'none'),
    description: 'Its own copy of the job file beside the version in force',
  },
  lacks: { ...list(string), description: 'Module files that jobs need and it has not' },
});

export const CLUSTER_SCHEMAS: Readonly<Record<string, Schema>> = {
  Node: node,
  Cluster: all({
    nodes: list({ $ref: '#/components/schemas/Node' }),
    conductor: { ...orNull(string), description: 'Name of the node that conducts' },
    term: whole,
    fileVersion: orNull(whole),
    queued: list(all({ labels: list(string), module: orNull(string), count: whole, oldestMs: whole })),
  }),
  Reload: {
    allOf: [
      { $ref: '#/components/schemas/ReloadPlan' },
      all({
        file: { ...orNull(string), description: 'In a cluster: the copy that was read' },
        version: { ...orNull(whole), description: 'In a cluster: which version that is, or would be' },
      }),
    ],
  },
  File: all({
    version: whole,
    by: string,
    at: time,
    documents: list(all({ path: string, text: string })),
    directory: { ...string, description: 'What relative paths in it are relative to' },
    timezone: { ...orNull(string), description: 'What jobs go by that name none' },
  }),
  Published: all({ version: whole, changed: bool, plan: { $ref: '#/components/schemas/ReloadPlan' } }),
};
