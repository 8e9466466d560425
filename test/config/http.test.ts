import { formatDiagnostics } from '../../src/config/diagnostic.ts';
import type { HttpTask } from '../../src/http-task.ts';
import { describe, expect, it } from 'vitest';
import { Files, lines } from './support.ts';

async function taskOf(http: string, environment: Record<string, string> = {}): Promise<HttpTask> {
  using files = new Files();
  const { task } = await files.job(`jobs:\n  j:\n    every: 1h\n    http: ${http}\n`, { environment });
  if (task.kind !== 'http') throw new Error(`a ${task.kind}`);
  return task;
}

describe('an http task', () => {
  it('may be just an address', async () => {
    expect(await taskOf('http://example.com/hook')).toEqual({
      kind: 'http',
      method: 'GET',
      url: 'http://example.com/hook',
      shownUrl: 'http://example.com/hook',
      headers: {},
      expectedStatus: [[200, 299]],
      followRedirects: false,
      secrets: [],
    });
  });

  it('has all that the reference says', async () => {
    using files = new Files();
    const { task, policy } = await files.job(`jobs:
  j:
    every: 1h
    http:
      url: https://example.com/hook
      method: PUT
      headers: { Accept: text/plain }
      json: { a: [1, null, { b: true }] }
      expect: { status: [204, 3xx, 400-404], body_matches: "o+k" }
      follow_redirects: true
      ca: ./ca.pem
`);
    expect(task).toMatchObject({
      method: 'PUT',
      headers: { 'content-type': 'application/json', Accept: 'text/plain' },
      body: '{"a":[1,null,{"b":true}]}',
      expectedStatus: [
        [204, 204],
        [300, 399],
        [400, 404],
      ],
      bodyMatches: 'o+k',
      followRedirects: true,
      ca: files.path('ca.pem'),
    });
    expect(policy, 'a dead connection is noticed by nobody else').toMatchObject({ timeout: 300_000 });
  });

  it('is a POST where there is a body', async () => {
    expect(await taskOf('{ url: "http://x/", body: hello }')).toMatchObject({
      method: 'POST',
      body: 'hello',
    });
  });

  it('takes the place of the task of defaults', async () => {
    using files = new Files();
    const { task } = await files.job('defaults: { run: x }\njobs: { j: { every: 1h, http: "http://x/" } }\n');
    expect(task.kind).toBe('http');
  });
});

describe('the secrets of an http task', () => {
  const environment = {
    TOKEN: 't0p-s3cret/+',
    USER: 'ada',
    PASS: 'p@ss w',
    HOOK: 'https://hooks.example.com/T00/B00/XyzzyXyzzy',
  };

  it('are what variables hold, wherever they stand', async () => {
    const url = 'https://${USER}:%70ass@api.example.com/a?key=${TOKEN}&page=2';
    const task = await taskOf(
      `{ url: "${url}", headers: { X-Key: "\${PASS}" }, json: { deep: ["\${TOKEN}"] } }`,
      environment,
    );
    expect(task.url).toBe('https://ada:%70ass@api.example.com/a?key=t0p-s3cret/+&page=2');
    expect(task.shownUrl).toBe('https://***@api.example.com/a?key=${TOKEN}&page=2');
    const base64 = Buffer.from('ada:pass').toString('base64');
    for (const secret of ['t0p-s3cret/+', 't0p-s3cret%2F%2B', 'p@ss w', 'pass', base64])
      expect(task.secrets, secret).toContain(secret);
    expect(task.secrets).not.toContain('2');
  });

  it('are found in an address that is one variable', async () => {
    const task = await taskOf('"${HOOK}"', environment);
    expect(task.shownUrl).toBe('${HOOK}');
    expect(task.secrets).toContain('XyzzyXyzzy');
    expect(task.secrets).not.toContain('hooks.example.com');
  });

  it('are header values, in each of their parts', async () => {
    const basic = Buffer.from('ada:lovelace').toString('base64');
    const headers = `{ Authorization: "Bearer abcdef", X-Basic: "Basic ${basic}", Accept: text/plain }`;
    const { secrets } = await taskOf(`{ url: "http://x/", headers: ${headers} }`);
    for (const secret of ['Bearer abcdef', 'abcdef', basic, 'lovelace']) expect(secrets).toContain(secret);
    expect(secrets).not.toContain('text/plain');
  });

  it('are in no message and in no code frame', async () => {
    using files = new Files();
    const result = await files.load(`jobs:
  j:
    every: 1h
    http: { url: "https://u:hunter2@x/?token=abcabc", headers: { Authorization: "Bearer qwerty" }, bodi: "zuzu" }
  k:
    every: 1h
    http: { url: "ftp://u:hunter2@x/?token=abcabc", method: GET, body: x }
`);
    expect(result.ok).toBe(false);
    const shown = result.ok ? '' : formatDiagnostics(result.errors, result.texts, { color: false });
    for (const secret of ['hunter2', 'abcabc', 'qwerty', 'zuzu']) expect(shown).not.toContain(secret);
    expect(shown).toContain('did you mean "body"?');
  });
});

describe('mistakes in http', () => {
  it.each([
    ['http: {}', '4:5 error jobs.j.http: nothing says where the request goes | add url:'],
    ['http: ftp://x/', '4:11 error jobs.j.http: expected an address such as https://example.com/hook'],
    ['http: http//x', '4:11 error jobs.j.http: expected an address such as https://example.com/hook'],
    [
      'http: { url: "http://x/", body: a, json: 1 }',
      '4:5 error jobs.j.http: body: and json: exclude each other',
    ],
    [
      'http: { url: "http://x/", method: GET, body: a }',
      '4:5 error jobs.j.http: a GET request has no body | write another method:, or leave it out',
    ],
    [
      'http: { url: "http://x/", headers: { Content-Length: "1" } }',
      '4:5 error jobs.j.http: tsched says the header Content-Length itself | remove it',
    ],
    [
      'http: { url: "http://x/", expect: 2x }',
      '4:39 error jobs.j.http.expect: expected a status such as 200, 2xx or 200-299, got "2x"',
    ],
    [
      'http: { url: "http://x/", expect: { body_matches: "(" } }',
      '4:55 error jobs.j.http.expect.body_matches: this is no regular expression: Unterminated group',
    ],
    [
      'http: { url: "http://x/" }\n    run: x',
      '4:5 error jobs.j.http: a job has one task, and this one has "run" already | remove one of them',
    ],
    ['http: "http://x/"\n    user: root', '5:5 warning jobs.j.user: has no effect on an HTTP request'],
    [
      'http: "http://x/"\n    on_shutdown: leave',
      '5:5 warning jobs.j.on_shutdown: an HTTP request cannot outlive tsched; this means wait',
    ],
    [
      'http: "${NOT_SET}"',
      '4:12 error jobs.j.http: the variable NOT_SET is not set | set it, or write ${NOT_SET:-default}',
    ],
  ])('%s', async (written, told) => {
    using files = new Files();
    expect(lines(await files.load(`jobs:\n  j:\n    every: 1h\n    ${written}\n`))).toContain(told);
  });
});
