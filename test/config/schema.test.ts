import { Ajv, type ValidateFunction } from 'ajv';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { jobFileJsonSchema, jobFileReference } from '../../src/config/schema.ts';
import { Files, lines } from './support.ts';

const schema = jobFileJsonSchema();
const accepts: ValidateFunction = new Ajv({
  strict: true,
  strictRequired: false,
  allowUnionTypes: true,
  allErrors: true,
}).compile(schema);

function job(key: string): string {
  return `jobs:\n  j:\n    every: 1h\n    run: x\n    ${key}\n`;
}

const ENVIRONMENT = { NAME: '5', PING_URL: 'https://hc.example.com/ping/1' };

/** Both the schema and the loader's errors (not its warnings). */
async function verdicts(text: string): Promise<{ schema: boolean; load: boolean; said: string }> {
  using files = new Files();
  const result = await files.load(text, { environment: ENVIRONMENT });
  const valid = accepts(parse(text, { merge: true }));
  return {
    schema: valid,
    load: result.ok,
    said: `${text}\n${lines(result).join('\n')}\n${JSON.stringify(accepts.errors)}`,
  };
}

describe('the JSON schema', () => {
  it('has words for every key', () => {
    const described = jobFileReference();
    expect(described.length).toBeGreaterThan(60);
    for (const { key, about } of described) expect(about, key).toMatch(/^[A-Z].*\.$/);
    expect(described.find(({ key }) => key === 'retry.delay')).toMatchObject({
      group: 'policy',
      default: '"10s"',
    });
  });

  it.each(
    jobFileReference()
      .filter(({ key, group }) => group !== 'file' && !key.includes('.'))
      .flatMap(({ key, examples }) => examples.map((example) => [key, example] as const)),
  )('and the loader accept the example of %s: %s', async (key, example) => {
    const trigger = ['cron', 'every', 'at', 'startup', 'after'].includes(key) ? '' : '    every: 1h\n';
    const task = ['run', 'command', 'module', 'http'].includes(key) ? '' : '    run: x\n';
    const optional = example.replace('".env"', '"?.env"').replace('"secrets/', '"?secrets/');
    const notifiers = key === 'notify' ? 'notifiers: { ops: { mail: a@b }, chat: { mail: a@b } }\n' : '';
    const calendars = ['only', 'exclude'].includes(key)
      ? 'calendars: { workdays: { weekdays: mon-fri }, holidays: { weekdays: sat }, weekend: { weekdays: sun } }\n'
      : '';
    const others = ['extract', 'check'].map((id) => `  ${id}: { every: 1h, run: x }\n`).join('');
    const settings = `${calendars}${notifiers}${key === 'pool' ? 'pools: { database: 2 }\n' : ''}`;
    const text = `${settings}jobs:\n${others}  j:\n${trigger}${task}    ${key}: ${optional}\n`;
    const verdict = await verdicts(text);
    expect(verdict, verdict.said).toMatchObject({ schema: true, load: true });
  });

  it.each([
    'jobs: {}\n',
    'timezone: UTC\nenv: { A: b }\nenv_file: "?x"\ndefaults: { timeout: 1h }\njobs: {}\n',
    'history: { keep: 5, max_age: none }\njobs: {}\n',
    'history: { max_age: 12w }\njobs: {}\n',
    job('retry: 3'),
    job('timeout: 1 h 30 m'),
    job('user: 65534'),
    job('misfire: none'),
    job('umask: 022'),
    job('max_instances: ${NAME}'),
    job('enabled: ${X:-true}'),
    job('limits: { memory: 1GiB, cpu: 10m }'),
    job('retry: { on: [1, KILL, timed_out] }'),
    job('success_exit_codes: 3'),
    job('kill_signal: SIGTERM'),
    job('user: 1000'),
    job('output: { max_size: 1MB, keep: 0, log: all }'),
    `notifiers: { ops: { mail: [a@b, c@d] }, hook: { webhook: "https://x/y", headers: { A: b }, secret: s } }\n${job('notify: [ops, hook]')}`,
    `notifiers: { ops: { command: [cat] } }\n${job('notify: { to: none, after: 2, success: [ops] }')}`,
    job('ping: "${PING_URL}"'),
    job('ping: { url: "http://x/y", start: false }'),
    job('expect: { finished_by: 06:00 }'),
  ])('accepts what the loader accepts: %j', async (text) => {
    const verdict = await verdicts(text);
    expect(verdict, verdict.said).toMatchObject({ schema: true, load: true });
  });

  it.each([
    'job: {}\n',
    'jobs: []\n',
    'jobs: { "a b": {} }\n',
    'timezone: 5\njobs: {}\n',
    'http: {}\njobs: {}\n',
    'notifiers: { ops: { webhook: x } }\njobs: {}\n',
    'notifiers: { none: { mail: a@b } }\njobs: {}\n',
    'notifiers: { ops: { mail: { to: nobody } } }\njobs: {}\n',
    'notifiers: { ops: { webhook: "https://x", format: msteams } }\njobs: {}\n',
    job('notify: { failures: ops }'),
    job('ping: example.com'),
    job('expect: { finished_by: 6am }'),
    job('expect: 30m'),
    job('retires: 3'),
    job('schedule: x'),
    job('enabled: yes'),
    job('timeout: 90'),
    job('timeout: 5x'),
    job('cron: []'),
    job('cron: 5'),
    job('env: { A: 5 }'),
    job('env: [A]'),
    job('command: ls'),
    job('nice: 50'),
    job('overlap: forbid'),
    job('retry: -1'),
    job('retry: { limt: 3 }'),
    job('misfire: sometimes'),
    job('kill_signal: TREM'),
    job('success_exit_codes: [256]'),
    job('limits: { memory: 5 }'),
    job('output: { log: some }'),
    job('dst: { gap: x }'),
    job('at: tomorrow'),
    job('startup: reboot'),
    job('umask: "999"'),
    job('description: 5'),
    job('priority: 1.5'),
    job('isolation: vm'),
    job('tags: { a: b }'),
    job('max_instances: 0'),
  ])('refuses what the loader refuses: %j', async (text) => {
    const verdict = await verdicts(text);
    expect(verdict, verdict.said).toMatchObject({ schema: false, load: false });
  });
});
