/** From what a request holds to what it asks, whether it came in here or at another node. */
import { readFields } from './fields.ts';
import { HttpProblem } from './problem.ts';
import { match, type Asked, type Route } from './route.ts';

/** Longest body. Bytes. */
export const LONGEST_BODY = 1024 * 1024;

export interface Found {
  readonly route: Route;
  readonly path: Readonly<Record<string, string>>;
  readonly query: ReadonlyMap<string, string>;
}

export interface Body {
  readonly bytes: Buffer;
  /** Its content-type. */
  readonly type: string | undefined;
}

/** @throws HttpProblem */
export function findRoute(routes: readonly Route[], method: string, target: string): Found {
  const { segments, query } = partsOf(target);
  const found = match(routes, method === 'HEAD' ? 'GET' : method, segments);
  if ('methods' in found) throw notThere(found.methods);
  return { ...found, query };
}

/** @param body of a request that may have one. @throws HttpProblem */
export function readAsked(
  { route, path, query }: Found,
  body: Body | undefined,
): Pick<Asked<unknown, unknown>, 'path' | 'query' | 'body'> {
  // The body first: whoever sends one that is of no use is told that.
  const read = body === undefined ? {} : readFields(route.body, fieldsOf(body), 'bad_body');
  return { path, query: readFields(route.query, query, 'bad_request'), body: read };
}

function notThere(methods: readonly string[]): HttpProblem {
  if (methods.length === 0) {
    return new HttpProblem('unknown_path', 'there is nothing here', {
      hint: '/openapi.json says what there is',
    });
  }
  const allow = methods.join(', ');
  return new HttpProblem('wrong_method', `this takes ${allow}`, { headers: { allow } });
}

/** @throws HttpProblem: only paths, so that nobody takes us for a proxy, and only what can be decoded */
function partsOf(target: string): { segments: string[]; query: Map<string, string> } {
  const [path = '', search = ''] = target.split(/\?(.*)/s);
  if (!path.startsWith('/')) throw new HttpProblem('bad_request', 'the target of a request is a path');
  try {
    const segments = path.slice(1).split('/').map(decodeURIComponent);
    const query = new Map<string, string>();
    for (const [name, value] of new URLSearchParams(search)) {
      if (query.has(name)) throw new HttpProblem('bad_request', `"${name}" is there twice`);
      query.set(name, value);
    }
    return { segments, query };
  } catch (error) {
    if (error instanceof HttpProblem) throw error;
    throw new HttpProblem('bad_request', 'the path holds a % that means nothing');
  }
}

function fieldsOf({ bytes, type }: Body): ReadonlyMap<string, unknown> {
  if (bytes.length === 0) return new Map();
  if (!/^application\/json(?:\s*;|$)/i.test(type ?? '')) {
    throw new HttpProblem('wrong_type', 'a body is JSON here', {
      hint: 'send Content-Type: application/json',
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new HttpProblem('bad_body', `the body is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new HttpProblem('bad_body', 'the body is not a JSON object');
  }
  return new Map(Object.entries(value));
}
