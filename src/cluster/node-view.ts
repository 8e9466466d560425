/** Nodes as people and programs are told of them, from what a beat heard. Pure. */
import type { NodeState, NodeView } from '../engine/ports-cluster.ts';
import type { Duration, Json } from '../model.ts';
import type { Heard, NodeRow } from './beat.ts';
import { LEASE, SILENT } from './lease.ts';

/** By name; `since`: how long ago the beat was that heard of them. */
export function nodeViews(heard: Heard, since: Duration): readonly NodeView[] {
  return heard.nodes
    .map((row) => nodeView(row, heard, since))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** Of one whose lease has run out nothing is left but its name. */
export function conductorOf({ conductor, conductorAgo }: Heard, since: Duration): string | undefined {
  return conductor !== null && conductorAgo + since < LEASE ? conductor : undefined;
}

function nodeView(row: NodeRow, heard: Heard, since: Duration): NodeView {
  const { id, name, schedules, labels, slots, busy, host, pid, version, startedAt, document } = row;
  const heardAgo = Math.max(Math.round(row.ago + since), 0);
  return {
    id,
    name,
    state: stateOf(row.state, heardAgo),
    conducts: id === heard.conductor && heardAgo < SILENT,
    schedules,
    labels,
    slots,
    busy,
    host,
    pid,
    version,
    startedAt,
    heardAgo,
    skew: row.skew ?? 0,
    file: fileOf(row.fileHash, heard.fileHash),
    lacks: lacksOf(document),
  };
}

function stateOf(state: NodeRow['state'], heardAgo: Duration): NodeState {
  return state !== 'stopped' && heardAgo >= SILENT ? 'silent' : state;
}

function fileOf(own: string | null, inForce: string | null): NodeView['file'] {
  if (own === null) return 'none';
  return inForce === null || inForce === own ? 'same' : 'differs';
}

/** Nodes of other versions may say other things there. */
function lacksOf(document: Json): readonly string[] {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return [];
  const { lacks } = document as { readonly [key: string]: Json };
  return Array.isArray(lacks) ? lacks.filter((each) => typeof each === 'string') : [];
}
