import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { lives, shell, surroundings, temporaryDirectory, until } from '../tasks/harness.ts';
import { Conductor } from './workers.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const lines = (path: string): string[] =>
  existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];

describe('attempts and nodes', () => {
  it('run each once, on whatever node has room', async () => {
    const conductor = await Conductor.over(await server.createDatabase());
    await conductor.workers(['a', 'b'], { slots: 20 });
    const account = join(temporaryDirectory(), 'account');
    const sent = Array.from({ length: 300 }, (_, n) => conductor.start(shell(`echo ${n} >> ${account}`)));
    const outcomes = await Promise.all(sent.map(({ outcome }) => outcome));
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['succeeded']));
    expect(lines(account).toSorted()).toEqual(Array.from({ length: 300 }, (_, n) => String(n)).toSorted());
    const started = await Promise.all(sent.map((each) => each.started));
    expect(new Set(started.map(({ node }) => node))).toEqual(new Set(['a', 'b']));
    for (const { reports } of sent) expect(reports.map(({ kind }) => kind)).toEqual(['started', 'ended']);
    expect(await conductor.count('held')).toBe(0);
  });
});
