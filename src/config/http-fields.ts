/** The keys of an HTTP request: a part of the field table. */
import { headerValue } from './addresses.ts';
import * as is from './scalars.ts';
import { map, oneOrMany, type Field, type MapShape, type ScalarInput, type ScalarType } from './shape.ts';

export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** A text, with what in it came from variables. */
export interface SecretText {
  readonly text: string;
  /** Before they were replaced. */
  readonly written: string;
  readonly variables: readonly string[];
}

function secretText(text: string, { written, variables }: ScalarInput): SecretText {
  return { text, written: String(written), variables };
}

const ADDRESS = 'an address such as https://example.com/hook';

const webAddress: ScalarType = is.textual(ADDRESS, { pattern: '^https?://' }, (value, input) => {
  const url = /[\s\p{Cc}]/u.test(value) ? null : URL.parse(value);
  const isOne = url !== null && url.hostname !== '' && /^https?:$/.test(url.protocol);
  // Not repeated: it may be all secret.
  return isOne ? secretText(value, input) : input.error({ message: `expected ${ADDRESS}` });
});

const header: ScalarType = {
  ...headerValue,
  read(input) {
    const value = headerValue.read(input);
    return typeof value === 'string' ? secretText(value, input) : undefined;
  },
};

const body: ScalarType = { ...is.textual('text', {}, secretText), secret: true };

/** A status, or a stretch of them; becomes a pair, both ends included. */
const status: ScalarType = {
  kind: 'scalar',
  expects: 'a status such as 200, 2xx or 200-299',
  schema: {
    anyOf: [
      { type: 'integer', minimum: 100, maximum: 599 },
      { type: 'string', pattern: '^([1-5]xx|[1-5]\\d\\d(-[1-5]\\d\\d)?)$' },
    ],
  },
  interpolated: true,
  read(input) {
    const [, hundreds, first, last = first] =
      /^(?:([1-5])xx|([1-5]\d\d)(?:-([1-5]\d\d))?)$/i.exec(String(input.value)) ?? [];
    if (hundreds !== undefined) return [Number(hundreds) * 100, Number(hundreds) * 100 + 99];
    if (first !== undefined && Number(first) <= Number(last)) return [Number(first), Number(last)];
    return input.error({ message: `expected ${status.expects}, got "${String(input.value)}"` });
  },
};

const pattern: ScalarType = is.textual('a regular expression', { minLength: 1 }, (value, input) => {
  try {
    return value === '' ? input.error({ message: 'must not be empty' }) : new RegExp(value, 'u').source;
  } catch (error) {
    const [reason = ''] = /[^:]*$/.exec((error as Error).message) ?? [];
    return input.error({ message: `this is no regular expression:${reason}` });
  }
});

const expect: MapShape = map(
  {
    status: {
      shape: oneOrMany(status),
      about: 'Statuses that are a success.',
      default: '2xx',
      examples: [200, ['2xx', 404]],
    },
    body_matches: {
      shape: pattern,
      about:
        'A regular expression (of JavaScript) that is found in the first MiB of the body of a success, as text.',
      examples: ['"ok":\\s*true'],
    },
  },
  'status',
);

/** What the request itself is made of cannot be said again. */
export const OUR_HEADERS =
  /^(?:connection|content-length|expect|keep-alive|te|trailer|transfer-encoding|upgrade|tsched-.*)$/i;

const request: MapShape = map(
  {
    url: { shape: webAddress, about: 'Where it goes. Write secrets as ${NAME}: they are shown nowhere.' },
    method: {
      shape: is.choice(...METHODS),
      about: 'The method. Default: GET, or POST where there is a body.',
    },
    headers: {
      shape: {
        kind: 'record',
        key: /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/,
        keyIs: 'header name',
        of: header,
      },
      about: 'Further headers. Their values are shown nowhere.',
      examples: [{ Authorization: 'Bearer ${TOKEN}' }],
    },
    body: { shape: body, about: 'What is sent, as text.' },
    json: {
      shape: { kind: 'json', tellsSecrets: true },
      about: 'What is sent, as JSON.',
      examples: [{ day: 'yesterday' }],
    },
    expect: { shape: expect, about: 'What answer is a success. Statuses alone are `status`.' },
    follow_redirects: {
      shape: is.flag,
      about:
        'Whether up to 10 redirections are followed: never from https to http, to another host without these headers, and with a body only on the same host.',
      default: false,
    },
    ca: {
      shape: is.path,
      about: "PEM file of the authorities that are trusted instead of Node's own.",
      examples: ['./internal-ca.pem'],
    },
  },
  'url',
);

/** The key of a job. */
export const http = {
  group: 'what',
  shape: request,
  about: 'An HTTP request, which tsched makes itself. An address alone is `url`.',
  examples: ['https://example.com/hook', { url: 'https://example.com/hook', json: { all: true } }],
} as const satisfies Field;
