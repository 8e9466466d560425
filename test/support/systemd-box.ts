/** A real systemd in namespaces of its own, where a tool that boots one is at hand. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './daemon.ts';
import { PATIENCE } from './patience.ts';

const root = join(import.meta.dirname, '../..');
const tool = process.env['TSCHED_SYSTEMD_BOX'] ?? join(root, '../shared/tools/systemd-box');
const environment = { ...process.env, SYSTEMD_BOX: `/var/tmp/systemd-box-${process.pid}` };

/** Why there is none here; undefined when there is one. */
export function whyNoBox(): string | undefined {
  if (!existsSync(tool)) return `no ${tool}; TSCHED_SYSTEMD_BOX names another`;
  return process.getuid?.() === 0 ? undefined : 'only root can boot it';
}

export function bootBox(): void {
  call(['start']);
  // As systemd itself does where it does not take itself to be in a container: else no credential reaches a service.
  inBox(['mount', '--make-rshared', '/']);
}

export function endBox(): void {
  call(['stop']);
  rmSync(`${environment.SYSTEMD_BOX}.log`, { force: true });
}

/** Runs a command in the box and gives what it printed; fails when the command does, unless told otherwise. */
export function inBox(command: readonly string[], { input = '', mayFail = false } = {}): string {
  return call(['run', ...command], input, mayFail);
}

function call(args: readonly string[], input = '', mayFail = false): string {
  const { status, stdout, stderr, error } = spawnSync(tool, args, {
    env: environment,
    cwd: '/',
    input,
    encoding: 'utf8',
    timeout: PATIENCE,
  });
  if (error !== undefined) throw error;
  if (status !== 0 && !mayFail) throw new Error(`${args.join(' ')} ended with ${status}: ${stdout}${stderr}`);
  return stdout;
}

export function write(path: string, text: string): void {
  inBox(['tee', path], { input: text });
}

export function read(path: string): string {
  return inBox(['cat', path], { mayFail: true });
}

/** A property of the service. */
export function show(property: string): string {
  return inBox(['systemctl', 'show', '--value', '-p', property, 'tsched']).trim();
}

export function journal(...args: readonly string[]): string {
  inBox(['journalctl', '--sync']);
  return inBox(['journalctl', '-u', 'tsched', '--no-pager', '-o', 'cat', ...args]);
}

/** Waits for something in the box; its failure comes with the journal. */
export function eventually<T>(what: string, look: () => T | undefined | false): Promise<T> {
  return until(what, look, { told: () => `; the journal:\n${journal('-n', '40')}` });
}

/** Has the unit installed by the command itself, with a job file and a drop-in, and nothing left of the one before. */
export function install(jobs: unknown, dropIn = ''): void {
  inBox(['systemctl', 'stop', 'tsched'], { mayFail: true });
  inBox(['systemctl', 'reset-failed', 'tsched'], { mayFail: true });
  inBox(['journalctl', '--rotate', '--vacuum-time=1us', '-q']);
  inBox(['rm', '-rf', '/var/lib/tsched', '/var/lib/private/tsched', '/etc/systemd/system/tsched.service.d']);
  inBox(['rm', '-f', '/run/tsched-results']);
  inBox(['mkdir', '-p', '/etc/tsched', '/etc/systemd/system/tsched.service.d']);
  write('/etc/tsched/jobs.yaml', JSON.stringify(jobs));
  write('/etc/systemd/system/tsched.service.d/test.conf', `[Service]\n${dropIn}\n`);
  inBox([process.execPath, join(root, 'bin/tsched.js'), 'install', '--force']);
  inBox(['systemctl', 'daemon-reload']);
}
