/** The table of routes as an OpenAPI 3.1 document. */
import type { Field, Fields } from './fields.ts';
import { HttpProblem, type ProblemCode } from './problem.ts';
import type { Documented, Route } from './route.ts';
import { ref, SCHEMAS } from './schemas.ts';

/** What any route may answer with. */
const ANY: readonly ProblemCode[] = ['bad_request', 'foreign_host', 'bug'];
const WITH_TOKEN: readonly ProblemCode[] = ['no_token', 'too_small_scope'];
/** In a cluster. */
const OF_CONDUCTORS: readonly ProblemCode[] = ['no_conductor'];
const WRITES: readonly ProblemCode[] = ['foreign_origin', 'wrong_type', 'too_large', 'bad_body'];

export function openApi(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'tsched',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'The API of a running tsched. On its Unix socket file permissions are the login; over TCP a token is. Instants are RFC 3339 in UTC.',
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    paths,
    components: {
      schemas: SCHEMAS,
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'From tsched token create; not needed on the socket.',
        },
      },
    },
  };
}

function operation(route: Route): object {
  const body = Object.keys(route.body).length === 0 ? {} : { requestBody: bodyOf(route.body) };
  return {
    operationId: operationId(route),
    summary: route.summary,
    ...(route.scope === 'open'
      ? { security: [] }
      : { description: `Needs the scope ${route.scope}.`, 'x-tsched-scope': route.scope }),
    parameters: parameters(route),
    ...body,
    responses: { ...mapValues(route.answers, answer), ...problems(route) },
  };
}

/** e.g. `getJobsNext`. */
function operationId({ method, segments }: Route): string {
  const words = segments
    .filter((part) => part !== 'api' && part !== 'v1')
    .map((part) => part.replace(/\W/g, ''));
  const named = words.map((word) => `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`).join('');
  return `${method.toLowerCase()}${named.replace('Id', 'ById')}`;
}

function parameters({ segments, query, headers = {} }: Route): object[] {
  const inPath = segments.filter((part) => part.startsWith('{')).map((part) => part.slice(1, -1));
  return [
    ...inPath.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...Object.entries(query).map(inQuery),
    ...Object.entries(headers).map(([name, { about, schema }]) => ({
      name,
      in: 'header',
      description: about,
      required: false,
      schema,
    })),
  ];
}

function inQuery([name, { schema, about, required }]: [string, Field<unknown>]): object {
  const lists = schema['type'] === 'array' ? { style: 'form', explode: false } : {};
  return { name, in: 'query', description: about, required, schema, ...lists };
}

function bodyOf(fields: Fields): object {
  const required = Object.keys(fields).filter((name) => fields[name]?.required === true);
  const properties = mapValues(fields, ({ schema, about }) => ({ ...schema, description: about }));
  const schema = { type: 'object', properties, required, additionalProperties: false };
  return { required: required.length > 0, content: { 'application/json': { schema } } };
}

function answer({ about, schema, type }: Documented): object {
  if (schema !== undefined)
    return { description: about, content: { 'application/json': { schema: ref(schema) } } };
  return { description: about, content: { [type ?? 'text/plain']: { schema: { type: 'string' } } } };
}

/** By status, each with the codes it may have. */
function problems(route: Route): Record<string, object> {
  const codes = [
    ...(route.problems ?? []),
    ...ANY,
    ...(route.scope === 'open' ? [] : WITH_TOKEN),
    ...(route.method === 'GET' ? [] : WRITES),
    ...(route.local === true ? [] : OF_CONDUCTORS),
  ];
  const byStatus = Map.groupBy(codes, (code) => new HttpProblem(code, '').status);
  const told: Record<string, object> = {};
  for (const [status, alike] of byStatus) {
    if (route.answers[status] !== undefined) continue;
    const content = { 'application/problem+json': { schema: ref('Problem') } };
    told[status] = { description: [...new Set(alike)].join(', '), content };
  }
  return told;
}

function mapValues<T, R>(record: Readonly<Record<string, T>>, map: (value: T) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
