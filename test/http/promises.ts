/** Holds answers to what the OpenAPI document says of them. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { equal, ok } from 'node:assert/strict';
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
