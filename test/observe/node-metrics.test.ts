/** The nodes of a cluster in figures: bounded, escaped, and gone with their nodes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import type { ClusterOperator, ClusterView, NodeView } from '../../src/engine/ports-cluster.ts';
import { createMetrics, type Metrics } from '../../src/observe/metrics.ts';
import { readExposition } from '../http/exposition.ts';

const HOUR = 3_600_000;

function node(name: string, more: Partial<NodeView> = {}): NodeView {
  return {
    id: name,
    name,
    state: 'up',
    conducts: false,
    schedules: true,
    labels: [],
    slots: 4,
    busy: 1,
    host: 'h',
    pid: 1,
    version: '1',
    startedAt: 0,
    heardAgo: 500,
    skew: 0,
    file: 'same',
    lacks: [],
    ...more,
  };
}

let view: ClusterView | undefined;
let asked = 0;
let metrics: Metrics;
beforeEach(() => {
  const figures = {
    version: '1',
    startedAt: 0,
    loadedAt: 0,
    fileIsGood: true,
    reloads: { applied: 0, unchanged: 0, refused: 0 },
    storeIsWell: true,
    storeSize: undefined,
    logDropped: 0,
    watchdogPings: 0,
  };
  const cluster = {
    view: () => {
      asked += 1;
      const refusal = { refused: 'cluster_away', message: 'away' } as const;
      return Promise.resolve(view === undefined ? { ok: false, refusal } : { ok: true, value: view });
    },
  } as Pick<ClusterOperator, 'view'> as ClusterOperator;
  const operator = { figures: () => figures, standing: () => [], pools: () => [], cluster };
  metrics = createMetrics({ operator, clock: systemClock });
});
afterEach(() => metrics.close());

async function told(nodes: readonly NodeView[] | undefined, queued: ClusterView['queued'] = []) {
  view = nodes && { nodes, conductor: undefined, term: 1, fileVersion: 1, queued };
  const families = readExposition(await metrics.text());
  return (name: string) =>
    Object.fromEntries(
      (families.get(name)?.samples ?? []).map(({ labels, value }) => [
        Object.values(labels).join('|'),
        value,
      ]),
    );
}

describe('figures of nodes', () => {
  it('tell of each how it is, by one question', async () => {
    const before = asked;
    const of = await told([
      node('a', { conducts: true, skew: -1500 }),
      node('b "x"\n', { state: 'draining', busy: 3 }),
      node('c', { state: 'silent', heardAgo: 20_000 }),
    ]);
    expect(asked - before).toBe(1);
    // As the format has it.
    const odd = String.raw`b \"x\"\n`;
    expect(of('tsched_node_up')).toEqual({ a: 1, [odd]: 1, c: 0 });
    expect(of('tsched_node_conducts')).toEqual({ a: 1, [odd]: 0, c: 0 });
    expect(of('tsched_node_slots')).toEqual({ a: 4, [odd]: 0, c: 0 });
    expect(of('tsched_node_busy_slots')).toEqual({ a: 1, [odd]: 3, c: 0 });
    expect(of('tsched_node_clock_skew_seconds')).toEqual({ a: -1.5, [odd]: 0 });
  });

  it('tell what waits, by what it needs', async () => {
    const of = await told(
      [node('a')],
      [
        { labels: [], count: 3, oldest: 1000 },
        { labels: ['eu', 'gpu'], module: '/srv/a.ts', count: 1, oldest: 65_000 },
      ],
    );
    expect(of('tsched_queue_waiting')).toEqual({ '|': 3, 'eu,gpu|/srv/a.ts': 1 });
    expect(of('tsched_queue_oldest_seconds')).toEqual({ '|': 1, 'eu,gpu|/srv/a.ts': 65 });
  });

  it('go with a node that has not been heard of for an hour, and are bounded', async () => {
    const many = Array.from({ length: 500 }, (_, i) => node(`n${i}`, { heardAgo: i }));
    const all = await told([...many, node('old', { state: 'silent', heardAgo: HOUR })]);
    const known = Object.keys(all('tsched_node_up'));
    expect([known.length, known.includes('n0'), known.includes('old')]).toEqual([200, true, false]);
    const later = await told([node('n1', { state: 'silent', heardAgo: HOUR - 1 })]);
    expect(later('tsched_node_up')).toEqual({ n1: 0 });
  });

  it('are those that the alerts ask for', async () => {
    const of = await told([node('a')], [{ labels: [], count: 1, oldest: 1000 }]);
    const alerts = readFileSync(join(import.meta.dirname, '../../examples/alerts.yaml'), 'utf8');
    const names = [...new Set(alerts.match(/\btsched_(?:node|queue)_[a-z_]+\b/g))];
    expect(names.length).toBeGreaterThan(3);
    expect(names.filter((name) => Object.keys(of(name)).length === 0)).toEqual([]);
  });

  it('are none while nothing is known of the cluster', async () => {
    await told([node('a')]);
    const of = await told(undefined);
    expect(of('tsched_node_up')).toEqual({});
  });
});
