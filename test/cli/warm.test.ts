/** The code that V8 made of `list`, kept between its calls: bin/tsched.js. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { directory, project, tsched, type Ran } from './tsched.ts';

const bundleOf = (name: string): string =>
  readFileSync(join(import.meta.dirname, '../../dist', name), 'latin1');
const jobs =
  'jobs:\n  a:\n    description: s3cret-words\n    cron: "30 2 * * *"\n    run: echo s3cret-script\n';
const cwd = project(jobs);

const list = (cache: string, ...args: string[]): Ran =>
  tsched(['list', ...args], { cwd, env: { XDG_CACHE_HOME: cache }, at: '2026-10-24 12:00:00' });

/** The files of kept code in a cache. */
const keptIn = (cache: string): string[] =>
  readdirSync(join(cache, 'tsched'))
    .filter((name) => name.startsWith('list.cjs-'))
    .map((name) => join(cache, 'tsched', name));

function keptBy(cache: string): string {
  const [file = '', ...more] = keptIn(cache);
  expect(more).toEqual([]);
  expect(file).not.toBe('');
  return file;
}

describe('the kept code of list', () => {
  it('belongs to one build: the bundle ends with a hash of itself, in plain ASCII', () => {
    const hashes = ['list.cjs', 'status.cjs'].map((name) => {
      const bundle = bundleOf(name);
      const [, text = '', hash = ''] = /^(.*)\/\/([0-9a-f]{16})$/s.exec(bundle) ?? [];
      expect(createHash('sha256').update(text, 'latin1').digest('hex').slice(0, 16)).toBe(hash);
      expect(/^[\n\r\t\x20-\x7e]*$/.test(bundle)).toBe(true);
      return hash;
    });
    const cache = directory();
    list(cache);
    expect(keptBy(cache)).toContain(hashes[0]);
  });

  it('changes nothing of what is said, and holds nothing of the job file', () => {
    const cache = directory();
    const cold = list(cache);
    expect(cold).toMatchObject({ code: 0, err: '' });
    expect(cold.out).toContain('s3cret-words');
    const file = keptBy(cache);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const before = readFileSync(file);
    expect(before.includes('s3cret')).toBe(false);
    expect(list(cache)).toEqual(cold);
    expect(JSON.parse(list(cache, '--json').out)).toHaveProperty('jobs.0.id', 'a');
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('is not kept from a call that needed other code', () => {
    const cache = directory();
    expect(list(cache, '--help').code).toBe(0);
    expect(list(cache, '--file', 'none.yaml').code).toBe(66);
    expect(keptIn(cache)).toEqual([]);
    expect(list(cache).code).toBe(0);
    expect(keptIn(cache)).toHaveLength(1);
  });

  it('is kept too where the large parser was needed', () => {
    const text = 'jobs:\n  a: &a { every: 1h, run: echo }\n  b: { <<: *a, description: b }\n';
    const cache = directory();
    const run = (): Ran => tsched(['list', '--json'], { cwd: project(text), env: { XDG_CACHE_HOME: cache } });
    for (const { out } of [run(), run()]) expect(JSON.parse(out)).toHaveProperty('jobs.1.description', 'b');
    expect(keptIn(cache)).toHaveLength(1);
  });

  it('is made anew when it is damaged', () => {
    const cache = directory();
    const whole = list(cache);
    const file = keptBy(cache);
    const good = readFileSync(file);
    const flipped = (at: number): Buffer => {
      const bytes = Buffer.from(good);
      bytes[at] = (bytes[at] ?? 0) ^ 0x55;
      return bytes;
    };
    const damages = {
      empty: Buffer.alloc(0),
      zeros: Buffer.alloc(good.length),
      half: good.subarray(0, good.length / 2),
      'one byte short': good.subarray(1),
      'zeros at the end': Buffer.concat([good.subarray(0, 4096), Buffer.alloc(good.length - 4096)]),
      'a bit at the start': flipped(3),
      'a bit in the middle': flipped(good.length >> 2),
      'a bit at the end': flipped(good.length - 9),
    };
    for (const [damage, bytes] of Object.entries(damages)) {
      writeFileSync(file, bytes);
      expect.soft(list(cache), damage).toEqual(whole);
      expect.soft(readFileSync(file).equals(bytes), damage).toBe(false);
      expect.soft(list(cache), damage).toEqual(whole);
    }
  });

  it('is done without where nothing can be kept', () => {
    const env = { XDG_CACHE_HOME: '/proc', TMPDIR: '/proc' };
    const { code, out } = tsched(['list'], { cwd, env });
    expect(code).toBe(0);
    expect(out).toContain('s3cret-words');
  });
});

describe('the zone names built in', () => {
  it('are those of Node, each by itself', () => {
    const zones = Intl.supportedValuesOf('timeZone');
    const text = zones.map((zone, index) => `  z${index}: { every: 1h, timezone: ${zone}, run: echo }\n`);
    const { code, out } = tsched(['list', '--json'], { cwd: project(`jobs:\n${text.join('')}`) });
    expect(code).toBe(0);
    const listed = JSON.parse(out) as { jobs: { timezone: string }[] };
    expect(listed.jobs.map((job) => job.timezone)).toEqual(zones);
  });

  it.each(['"Africa/Abidjan\\nAfrica/Accra"', 'Europe', 'urope/Berlin', '""', '"\\n"'])(
    '%s is none of them',
    (name) => {
      const text = `jobs:\n  a: { every: 1h, timezone: ${name}, run: echo }\n`;
      expect(tsched(['list'], { cwd: project(text) }).code).toBe(78);
    },
  );
});
