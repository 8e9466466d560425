/** What nodes say to commands, and waiting until they say it. */
import { execFile } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import type { ToldCluster, ToldNode } from '../../src/cli/nodes.ts';
import { bin, type Daemon } from './daemon.ts';
import { PATIENCE } from './patience.ts';

export interface Told {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `tsched` beside a node, which it asks. */
export function tell(node: Daemon, args: readonly string[]): Promise<Told> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: node.directory,
    TZ: 'UTC',
    TSCHED_STATE_DIR: node.stateDirectory,
  };
  return new Promise((resolve, reject) => {
    const options = { cwd: node.directory, env, timeout: PATIENCE };
    execFile(process.execPath, [bin, ...args], options, (error, out, err) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ code, out, err });
      else reject(new Error(`tsched ${args.join(' ')}: ${error?.message}\n${err}`));
    });
  });
}

/** What a command says that has to do what it is told, once there is a node that can. */
export function says(node: Daemon, args: readonly string[]): Promise<string> {
  return eventually(`an answer to tsched ${args.join(' ')}`, async () => {
    const { code, out, err } = await tell(node, args);
    if (code === 0) return out;
    const message = `tsched ${args.join(' ')} ended with ${code}: ${err}`;
    throw code === 69 ? new Error(message) : new Impossible(message);
  });
}

/** What it says with --json. */
export async function told<T>(node: Daemon, args: readonly string[]): Promise<T> {
  return JSON.parse(await says(node, [...args, '--json'])) as T;
}

/** Waits until what a node says of the nodes, by name, is as it should be. */
export async function untilNodes(
  what: string,
  asked: Daemon,
  isSo: (nodes: Readonly<Record<string, ToldNode | undefined>>, cluster: ToldCluster) => boolean,
): Promise<ToldCluster> {
  return eventually(what, async () => {
    const cluster = await told<ToldCluster>(asked, ['nodes']);
    if (isSo(Object.fromEntries(cluster.nodes.map((node) => [node.name, node])), cluster)) return cluster;
    throw new Error(JSON.stringify(cluster));
  });
}

/** Nothing that passes with time. */
class Impossible extends Error {}

/** Waits for something that has to be asked for; `look` throws what is still wanting. */
export async function eventually<T>(what: string, look: () => T | Promise<T>): Promise<T> {
  const over = AbortSignal.timeout(PATIENCE);
  for (;;) {
    try {
      return await look();
    } catch (error) {
      if (error instanceof Impossible) throw error;
      if (over.aborted) throw new Error(`waited in vain for ${what}: ${String(error)}`, { cause: error });
    }
    await pause(200);
  }
}
