/** Holds answers to what the OpenAPI document says of them. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { equal, ok } from 'node:assert/strict';
import { expect } from 'vitest';
import { ask, type Body, type Place, type Told, type Wanted } from './support.ts';

export const ajv = new Ajv2020({
  strict: false,
  formats: {
    'date-time': (text: string) => !Number.isNaN(Date.parse(text)),
    uuid: /^[0-9a-f-]{36}$/,
    uri: true,
    'uri-reference': true,
    regex: true,
    'media-range': true,
  },
});

/** Operations that timeline.test.ts, chain.test.ts, simulate.test.ts and cluster.test.ts ask. */
export const ELSEWHERE: readonly string[] = [
  ...['hours', 'load', 'timeline', 'jobs/{id}/days', 'graph', 'nodes'].map((path) => `get /api/v1/${path}`),
  'post /api/v1/simulate',
  'post /api/v1/nodes/{name}/drain',
  'post /api/v1/nodes/{name}/resume',
  'get /api/v1/file',
  'put /api/v1/file',
];

export class Promises {
  /** Operations that were asked, e.g. `get /api/v1/jobs`. */
  readonly kept = new Set<string>();
  readonly #place: Place;
  readonly #document: Body;

  constructor(place: Place, document: Body) {
    this.#place = place;
    this.#document = document;
  }

  async ask(path: string, wanted: Wanted = {}): Promise<Told> {
    const told = await ask(this.#place, path, wanted);
    const method = (wanted.method ?? 'GET').toLowerCase();
    const response = this.#document.paths[this.#templateOf(path)]?.[method]?.responses?.[told.status];
    ok(response !== undefined, `${method} ${path} answered ${told.status}: ${told.text}`);
    this.keep(method, path);
    const [[type, { schema }]] = Object.entries(response.content as object) as [[string, { schema: Body }]];
    equal(told.headers['content-type']?.split(';')[0], type.split(';')[0]);
    if (!type.includes('json')) return told;
    const validate = ajv.compile({ ...schema, components: this.#document.components });
    ok(validate(told.body), `${path}: ${JSON.stringify(validate.errors)} ${told.text}`);
    return told;
  }

  /** It was exercised by other means. */
  keep(method: string, path: string): void {
    this.kept.add(`${method} ${this.#templateOf(path)}`);
  }

  /** The path of the document that a path of ours is one of. */
  #templateOf(path: string): string {
    const plain = path.replace(/\?.*/, '').split('/');
    const fits = (template: string): boolean => {
      const parts = template.split('/');
      return (
        parts.length === plain.length && parts.every((part, i) => part.startsWith('{') || part === plain[i])
      );
    };
    return Object.keys(this.#document.paths as object).find(fits) ?? 'none';
  }
}

/** Plans, begins, looks at and cancels a replay of job `waits`. */
export async function exerciseReplays(
  promised: (path: string, wanted?: Wanted) => Promise<Told>,
): Promise<void> {
  const post = (json: object): Promise<Told> => promised('/api/v1/replays', { method: 'POST', json });
  const from = '2020-06-01T00:00:00Z';
  const planned = await post({ job: 'waits', from, to: '2023-06-01T00:00:00Z', dry_run: true });
  expect(planned).toMatchObject({ status: 200, body: { jobId: 'waits', order: 'oldest', total: 3 } });
  expect(planned.body.slots).toHaveLength(3);
  await promised('/api/v1/jobs/waits/pause', { method: 'POST', json: { for: '1h' } });
  const { body: begun } = await post({ job: 'waits', from });
  expect(begun).toMatchObject({ state: 'active', begun: 0 });
  const path = `/api/v1/replays/${begun.id}`;
  expect((await promised('/api/v1/replays')).body.replays).toMatchObject([{ id: begun.id }]);
  expect((await promised(path)).body).toMatchObject({ id: begun.id, waitsFor: 'paused' });
  expect((await promised(path, { method: 'DELETE' })).body).toMatchObject({ state: 'cancelled' });
  expect((await promised(path, { method: 'DELETE' })).body.code).toBe('replay_over');
  expect((await promised('/api/v1/replays/none')).body.code).toBe('unknown_replay');
}
