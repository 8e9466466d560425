import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hostname } from 'node:os';
import { Session } from '../../src/cli/session.ts';
import { storeSettings, type StoreOptions } from '../../src/cli/store-settings.ts';
import { databaseRefused, whenReached } from '../../src/cli/store-trouble.ts';
import { directory, project, tsched } from './tsched.ts';

const SECRET = 'hunter2';
const URL = `postgres://tsched:${SECRET}@127.0.0.1:1/tsched`;
const JOBS = 'jobs:\n  a: { every: 1h, run: x }\n';

const settings = (options: Partial<StoreOptions>, schedules = true) =>
  storeSettings({ slots: 100, ...options }, schedules, new Session({}, 0));

describe('the cluster that a daemon belongs to', () => {
  it('is none when none is named', () => {
    expect(settings({})).toBeUndefined();
    expect(settings({ store: '', storeFile: '' })).toBeUndefined();
  });

  it('is what the options say', () => {
    expect(settings({ store: URL, label: ['gpu', 'eu', 'gpu'], nodeName: 'a-1.example', slots: 4 })).toEqual({
      url: URL,
      nodeName: 'a-1.example',
      labels: ['eu', 'gpu'],
      slots: 4,
      schedules: true,
    });
    expect(settings({ store: URL, nodeName: '' }, false)).toMatchObject({
      nodeName: hostname(),
      labels: [],
      schedules: false,
    });
  });

  it('can stand in a file', () => {
    const path = join(directory(), 'store');
    writeFileSync(path, `${URL}\n`);
    expect(settings({ storeFile: path })).toMatchObject({ url: URL });
  });
});

describe('the options of a node', () => {
  const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    tsched(['start', ...args], { cwd: project(JOBS), env });

  it.each<[string, readonly string[], number, string]>([
    ['mysql', ['--store', `mysql://u:${SECRET}@h/d`], 64, 'is no address of a PostgreSQL database'],
    ['no URL', ['--store', SECRET], 64, 'write e.g. postgres://'],
    ['ephemeral', ['--store', URL, '--ephemeral'], 64, 'leave out --ephemeral'],
    ['two', ['--store', URL, '--store-file', 'x'], 64, 'both --store and --store-file'],
    ['no file', ['--store-file', 'none'], 66, 'none: there is no such file'],
    ['a bad name', ['--store', URL, '--node-name', 'a b'], 64, '"a b" is no name for a node'],
    ['a bad label', ['--store', URL, '--label', 'gpu,a b'], 64, 'with commas in between'],
    ['no slots', ['--store', URL, '--slots', '0'], 64, 'a whole number from 1'],
  ])('are checked: %s', (_, args, code, message) => {
    const ran = start(args);
    expect(ran.err).toContain(message);
    expect(ran.code).toBe(code);
    expect(ran.out + ran.err).not.toContain(SECRET);
  });

  it('come from variables too, and a password there is nobody’s to see', () => {
    const env = { TSCHED_STORE: URL, TSCHED_LABEL: 'gpu, eu', TSCHED_EPHEMERAL: '1' };
    const ran = start([], env);
    expect(ran).toMatchObject({ code: 64, err: expect.stringContaining('leave out --ephemeral') });
    expect(ran.err).not.toContain('(ps)');
    const loud = start(['--store', URL, '--ephemeral']);
    expect(loud.err).toContain('can be read by everybody on this host (ps)');
  });

  it('of a worker are the same, and it needs a database', () => {
    expect(tsched(['worker'])).toMatchObject({
      code: 64,
      err: expect.stringContaining('a worker needs the database of its cluster'),
    });
    const path = join(directory(), 'store');
    writeFileSync(path, `not a url ${SECRET}`, { mode: 0o644 });
    const ran = tsched(['worker', '--store-file', path]);
    expect(ran.err).toContain(`can be read by everybody on this host`);
    chmodSync(path, 0o600);
    expect(tsched(['worker', '--store-file', path]).err).not.toContain('everybody');
    expect(ran).toMatchObject({ code: 64, err: expect.stringContaining('does not hold the URL') });
    expect(ran.err).not.toContain(SECRET);
  });

  it('stand in help, completion and the manual page', () => {
    for (const command of ['start', 'worker']) {
      const { out } = tsched([command, '--help']);
      for (const option of ['--store', '--store-file', '--node-name', '--label', '--slots'])
        expect(out).toContain(option);
    }
    expect(tsched(['complete', '--', 'worker', '--st']).out).toMatch(/--store\t[^]*--store-file\t/);
    expect(tsched(['complete', '--', 'publ']).out).toContain('publish\t');
    const page = readFileSync(join(import.meta.dirname, '../../dist/tsched.1'), 'utf8');
    expect(page).toContain('.SS tsched worker');
    expect(page).toContain('.SS tsched publish [file]');
  });
});

describe('a database that will not have a node', () => {
  const named = (name: string, more: object = {}): Error =>
    Object.assign(new Error(`${name} it is`), { name, ...more });

  it.each<[string, object, number]>([
    ['DatabaseUnfit', { hint: 'do this' }, 78],
    ['DatabaseUnfit', { hint: 'do this', why: 'login' }, 77],
    ['DatabaseUnfit', { hint: 'do this', why: 'packages' }, 69],
    ['DatabaseAway', { hint: 'do this' }, 69],
    ['NodeRefused', { hint: 'do this' }, 75],
  ])('is told as what it is: %s %o', (name, more, code) => {
    expect(databaseRefused(named(name, more))).toMatchObject({
      code,
      message: `${name} it is`,
      hint: 'do this',
    });
  });

  it('is not to blame for other mistakes', () => {
    expect(databaseRefused(new Error('other'))).toBeUndefined();
    expect(databaseRefused('other')).toBeUndefined();
  });

  it('is tried again for as long as it is away, and no longer', async () => {
    let tries = 0;
    const session = new Session({}, 0);
    const said: string[] = [];
    session.err = (text) => void said.push(text);
    const make = (): Promise<string> => {
      tries += 1;
      return tries < 3 ? Promise.reject(named('DatabaseAway')) : Promise.resolve('app');
    };
    expect(await whenReached(make, session)).toBe('app');
    expect({ tries, said }).toEqual({
      tries: 3,
      said: ['tsched: DatabaseAway it is; it is tried again until it is there\n'],
    });
    await expect(whenReached(() => Promise.reject(named('DatabaseUnfit')), session)).rejects.toThrow(
      'DatabaseUnfit',
    );
  });
});
