/** What the README says to copy for more than one machine. There is no Docker here: it is held against the options there are. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { build } from '../../src/cli/program.ts';
import { Session } from '../../src/cli/session.ts';
import { unitText } from '../../src/cli/unit.ts';
import { directory, tsched } from './tsched.ts';

const root = join(import.meta.dirname, '../..');
const examples = join(root, 'examples');
const variablesOf = (name: string): readonly string[] =>
  build(new Session({}, 0), () => undefined)
    .commands.filter((command) => command.name() === name)
    .flatMap(({ options }) => options.flatMap(({ envVar }) => envVar ?? []));

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  readonly volumes: readonly string[];
  readonly ports?: readonly string[];
  readonly healthcheck: object;
  readonly depends_on?: Readonly<Record<string, object>>;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: object;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

describe('a backup as the README and a new job file write it', () => {
  const made = directory();
  tsched(['init', 'new.yaml'], { cwd: made });
  const written = [join(root, 'README.md'), join(made, 'new.yaml')].flatMap((file) => {
    const lines = readFileSync(file, 'utf8').matchAll(/^[ #]*run: (pg_dump .*)$/gm);
    return [...lines].map(([, line = '']) => line).filter((line) => line.includes('/var/backups'));
  });

  it.each(written)('%s fails when the dump does', (line) => {
    writeFileSync(join(made, 'pg_dump'), '#!/bin/sh\nexit 3\n', { mode: 0o755 });
    const env = { PATH: `${made}:/usr/bin:/bin` };
    const script = line.replaceAll('/var/backups', made);
    expect(spawnSync('/bin/sh', ['-c', script], { env }).status).toBe(3);
  });

  it('is found in both', () => {
    expect(written.length).toBe(3);
  });
});

describe('the compose file', () => {
  const compose = parse(readFileSync(join(examples, 'compose.yaml'), 'utf8'), { merge: true }) as Compose;
  const nodes = Object.entries(compose.services).filter(([name]) => name !== 'postgres');

  it('has two nodes and a worker, each with a name and a state directory of its own', () => {
    expect(nodes.map(([name]) => name)).toEqual(['one', 'two', 'worker']);
    for (const [name, { environment, volumes, command, depends_on, secrets }] of nodes) {
      expect(environment['TSCHED_NODE_NAME']).toBe(name);
      expect(volumes).toContain(`${name}:${environment['TSCHED_STATE_DIR']}`);
      expect(depends_on).toEqual({ postgres: { condition: 'service_healthy' } });
      expect(environment['TSCHED_STORE_FILE']).toBe(`/run/secrets/${secrets[0]}`);
      const known = variablesOf(command?.[0] ?? '');
      const own = Object.keys(environment).filter((variable) => variable.startsWith('TSCHED_'));
      expect(own.filter((variable) => !known.includes(variable))).toEqual([]);
    }
  });

  it('names what it uses, and nobody else can reach it or have its secrets', () => {
    for (const { volumes, secrets } of Object.values(compose.services)) {
      const sources = volumes.map((volume) => volume.split(':')[0] ?? '');
      const isNamed = (source: string): boolean =>
        source.startsWith('.') ? existsSync(join(examples, source)) : Object.hasOwn(compose.volumes, source);
      expect(sources.filter((source) => !isNamed(source))).toEqual([]);
      for (const secret of secrets) expect(compose.secrets).toHaveProperty(secret);
    }
    const ports = Object.values(compose.services).flatMap((service) => service.ports ?? []);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
    const [ignored, unversioned] = ['.dockerignore', '.gitignore'].map((name) =>
      readFileSync(join(root, name), 'utf8').split('\n'),
    );
    expect(ignored).toContain('examples/secrets');
    expect(unversioned).toContain('/examples/secrets/');
    for (const { file } of Object.values(compose.secrets)) expect(file).toMatch(/^\.\/secrets\/\w+$/);
  });
});

describe('the drop-in for systemd', () => {
  const text = readFileSync(join(examples, 'tsched.service.d/store.conf'), 'utf8');

  it('sets variables that there are, and never the URL itself', () => {
    const set = Array.from(text.matchAll(/^#?Environment=(\w+)=/gm), ([, name]) => name ?? '');
    expect(set).toContain('TSCHED_STORE_FILE');
    expect(set.filter((name) => !variablesOf('start').includes(name))).toEqual([]);
    expect(text).not.toMatch(/^\s*[^#].*postgres:\/\//m);
  });

  const analyze = spawnSync('systemd-analyze', ['--version']).status === 0;
  it.skipIf(!analyze)(
    `is one that systemd understands${analyze ? '' : ' (skipped: no systemd-analyze)'}`,
    () => {
      const where = directory();
      const node = join(where, 'node');
      writeFileSync(node, '', { mode: 0o755 });
      const unit = join(where, 'tsched.service');
      const paths = { node, tsched: '/usr/lib/tsched.js', file: '/etc/tsched/jobs.yaml' };
      writeFileSync(unit, unitText({ ...paths, ofUser: false, runAs: undefined }));
      mkdirSync(`${unit}.d`);
      const verify = () => {
        const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
        // The one key that older ones do not know, and ignore.
        return stderr
          .split('\n')
          .filter((line) => /tsched|store\.conf/.test(line) && !line.includes("'OpenFile'"));
      };
      const place = join(`${unit}.d`, 'store.conf');
      writeFileSync(place, '[Service]\nTimeoutStartSec=for ever\n');
      expect(verify().join()).toContain('store.conf:2');
      copyFileSync(join(examples, 'tsched.service.d/store.conf'), place);
      expect(verify()).toEqual([]);
    },
  );
});
