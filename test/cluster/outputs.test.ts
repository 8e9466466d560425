import { appendFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ClusterOutputs, isForOutputs, serveOutputs } from '../../src/cluster/outputs.ts';
import { systemClock } from '../../src/engine/clock.ts';
import type { NodeView } from '../../src/engine/ports-cluster.ts';
import type { OpenOutput, OutputPiece } from '../../src/engine/ports-operator.ts';
import type { RunProgress } from '../../src/engine/ports-output.ts';
import { lastOutputOf } from '../../src/tasks/last-output.ts';
import { followOutput, outputFiles } from '../../src/tasks/output-files.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { bytes, bytesOf, Caller } from './callers.ts';

const RUN = '01890000-0000-7000-8000-000000000001';

let server: Postgres;
let where: string;
let near: Caller;
let far: Caller;
let outputs: ClusterOutputs;
let farNode: Pick<NodeView, 'id' | 'state' | 'heardAgo'> | undefined;
/** Which node had which attempt. */
let nodes: (string | undefined)[];
const noted: string[] = [];

beforeAll(async () => {
  where = mkdtempSync(join(tmpdir(), 'tsched-outputs-'));
  server = await startPostgres();
});

afterAll(async () => {
  await server.stop();
  rmSync(where, { recursive: true });
});

async function begin(): Promise<void> {
  const url = await server.createDatabase();
  [near, far] = await Promise.all([Caller.open(url, 'near'), Caller.open(url, 'far')]);
  for (const name of ['near', 'far']) {
    rmSync(join(where, name), { recursive: true, force: true });
    mkdirSync(join(where, name, RUN, '2'), { recursive: true });
  }
  const filesOf = (name: string) => outputFiles(join(where, name), systemClock);
  far.calls.serve((request, signal) => {
    expect(isForOutputs(request.target)).toBe(true);
    noted.push(request.by);
    return serveOutputs(filesOf('far'))(request, signal);
  });
  farNode = { id: far.id, state: 'up', heardAgo: 100 };
  nodes = ['far'];
  outputs = new ClusterOutputs({
    local: filesOf('near'),
    follow: followOutput,
    calls: near.calls,
    node: 'near',
    find: async () => ({
      attempts: nodes.map((node, at) => Object.assign({ number: at + 1, startedAt: 0 }, node && { node })),
    }),
    nodeNamed: async (name) => (name === 'far' ? farNode : undefined),
    clock: systemClock,
  });
}

afterEach(() => Promise.all([near.close(), far.close()]));

const file = (node: string, attempt = 1): string => join(where, node, RUN, `attempt-${attempt}.log`);

async function all(output: OpenOutput, start = 0, end = output.size): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of output.read(start, end)) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function opened(attempt = 1, id = RUN): Promise<OpenOutput> {
  const output = await outputs.open(id, attempt);
  if (output === undefined) throw new Error('there is none');
  return output;
}

describe('output on another node', () => {
  it('is read there byte for byte, whole or a range of it', async () => {
    await begin();
    const content = bytes(3_000_000);
    writeFileSync(file('far'), content);
    const output = await opened();
    expect([output.attempt, output.size]).toEqual([1, content.length]);
    expect((await all(output)).equals(content)).toBe(true);
    expect((await all(output, 999_999, 1_000_001)).equals(content.subarray(999_999, 1_000_001))).toBe(true);
    expect(await all(output, content.length, content.length)).toHaveLength(0);
    truncateSync(file('far'), 10);
    expect(await all(output)).toHaveLength(10);
    await output.close();
    expect(new Set(noted)).toEqual(new Set(['node near']));
  });

  it('of a part of a run is its own', async () => {
    await begin();
    writeFileSync(join(where, 'far', RUN, '2', 'attempt-1.log'), 'of the part');
    expect((await all(await opened(1, `${RUN}.2`))).toString()).toBe('of the part');
  });

  it('is not asked for there when this node has it, nor when nobody began it', async () => {
    await begin();
    writeFileSync(file('near', 1), 'mine');
    writeFileSync(file('far', 1), 'its');
    for (const node of ['near', undefined]) {
      nodes = [node];
      const output = await opened();
      expect((await all(output)).toString()).toBe('mine');
      await output.close();
    }
  });

  it('may have been removed', async () => {
    await begin();
    expect(await outputs.open(RUN, 1)).toBeUndefined();
  });

  it('gets at no other file', async () => {
    await begin();
    writeFileSync(join(where, 'secret'), 'secret');
    for (const target of [
      '/node/output/../../secret/1',
      `/node/output/${RUN}/../../../secret`,
      `/node/output/${RUN}/1%00`,
      `/node/output/${'.'.repeat(36)}/1`,
      '/node/output/',
    ]) {
      const answer = await near.ask(far.id, target);
      expect([answer.status, await bytesOf(answer)], target).toEqual([404, Buffer.alloc(0)]);
    }
  });

  it('of a node that is silent, gone or unknown is told to be there', async () => {
    await begin();
    const told = () => outputs.open(RUN, 1).catch((error: Error) => `${error.name}: ${error.message}`);
    farNode = { id: far.id, state: 'silent', heardAgo: 60_000 };
    expect(await told()).toMatch(
      /^OutputElsewhere: it is on node far, which has not been heard of since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/v,
    );
    farNode = { id: far.id, state: 'stopped', heardAgo: 60_000 };
    expect(await told()).toBe('OutputElsewhere: it is on node far, which was stopped');
    farNode = undefined;
    expect(await told()).toBe('OutputElsewhere: it is on node far, which is not known any more');
    // The node died, which is not known here yet.
    farNode = { id: far.id, state: 'up', heardAgo: 100 };
    await far.fallSilent(16);
    const reason = String.raw`it is on node far, which cannot be asked: node far has not been heard of for \d\d s`;
    expect(await told()).toMatch(new RegExp(`^OutputElsewhere: ${reason}$`, 'v'));
    expect((await lastOutputOf(outputs, { id: RUN, attempts: [] }, 100)).toString()).toMatch(
      new RegExp(`^… ${reason}\n$`, 'v'),
    );
  });

  it('ends a message with its last bytes', async () => {
    await begin();
    writeFileSync(file('far'), 'one\ntwo\nthree\n');
    const run = { id: RUN, attempts: [{ number: 1, startedAt: 0, node: 'far' }] };
    expect((await lastOutputOf(outputs, run, 10)).toString()).toBe('two\nthree\n');
    expect((await lastOutputOf(outputs, run, 1000)).toString()).toBe('one\ntwo\nthree\n');
    rmSync(file('far'));
    expect(await lastOutputOf(outputs, run, 10)).toHaveLength(0);
  });
});

describe('output that grows on another node', () => {
  async function follow(
    progress: () => RunProgress,
    onPiece: (piece: OutputPiece, soFar: string) => void,
  ): Promise<string> {
    let text = '';
    const { signal } = new AbortController();
    for await (const piece of outputs.follow(RUN, { attempt: 1, offset: 0 }, { progress, signal })) {
      text += piece.text;
      onPiece(piece, text);
    }
    return text;
  }

  it('is followed from attempt to attempt, from node to node, character by character', async () => {
    await begin();
    nodes = ['far', 'near'];
    const progress = { attempts: 1, over: false };
    writeFileSync(file('far'), Buffer.concat([Buffer.from('ü'.repeat(100_000)), Buffer.from([0xc3])]));
    const text = await follow(
      () => progress,
      (piece, soFar) => {
        if (piece.attempt === 1 && soFar.length === 100_000) {
          appendFileSync(file('far'), Buffer.from([0xbc, 0x0a]));
          writeFileSync(file('near', 2), 'second\n');
          progress.attempts = 2;
        }
        if (piece.attempt === 2) progress.over = true;
      },
    );
    expect(text).toBe(`${'ü'.repeat(100_001)}\nsecond\n`);
  });

  it('goes on when its node is there again, and ends without it when the run is over', async () => {
    await begin();
    writeFileSync(file('far'), 'one\n');
    const progress = { attempts: 1, over: false };
    const up = farNode;
    const text = await follow(
      () => progress,
      (_, soFar) => {
        if (soFar === 'one\n') {
          appendFileSync(file('far'), 'two\n');
          farNode = { id: far.id, state: 'silent', heardAgo: 20_000 };
        } else if (soFar.endsWith('Z\n')) farNode = up;
        else if (soFar.endsWith('two\n')) {
          farNode = { id: far.id, state: 'stopped', heardAgo: 20_000 };
          void sleep(50).then(() => (progress.over = true));
        }
      },
    );
    expect(text).toMatch(/^one\n… it is on node far, which has not been heard of since \S+Z\ntwo\n$/v);
  });
});
