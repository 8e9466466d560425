import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { JobFiles } from '../../src/cluster/files.ts';
import { systemClock } from '../../src/engine/clock.ts';
import type { ReloadPlan } from '../../src/engine/ports-operator.ts';
import { FileUnread, loadJobFile, type GivenFile } from '../../src/job-loading.ts';
import { NOTHING } from '../../src/operator/reload-plan.ts';
import { openDatabase, type Database } from '../../src/postgres/database.ts';
import {
  NO_JOBS,
  publishedFile,
  publishFile,
  undecided,
  type PublishingParts,
} from '../../src/publishing.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';

const options = { file: '', environment: {}, hostTimezone: 'UTC' } as never;

let server: Postgres;
let database: Database;
let files: JobFiles;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await server.stop();
});
beforeEach(async () => {
  database = await openDatabase({ url: await server.createDatabase(), clock: systemClock });
  await database.run('update conductor set term = 7');
  files = new JobFiles(database, systemClock);
  return () => database.close();
});

const plan: ReloadPlan = { ...NOTHING, kind: 'applied', added: ['a'], unchanged: 0 };
const request = (every: string) => ({
  documents: [{ path: 'jobs.yaml', text: `jobs:\n  a: { every: ${every}, run: x }\n` }],
  directory: '/srv',
  by: 'ann',
});

/** A conductor of term 7, and who asked it to read the file again. */
function conductor(more: Partial<PublishingParts> = {}): { parts: PublishingParts; asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    parts: {
      files,
      node: 'one',
      term: () => 7,
      loading: {
        check: (given: GivenFile) => loadJobFile(options, { given, tests: true }),
      },
      operator: {
        reload: ({ by }) => {
          asked.push(by);
          return Promise.resolve({ ok: true, value: plan });
        },
        plan: () => Promise.resolve({ ...plan, kind: 'planned' }),
      },
      ...more,
    },
  };
}

describe('publishing a job file', () => {
  it('puts it in force, and says what that changed; the same again is nothing new, but read again', async () => {
    const { parts, asked } = conductor();
    const first = await publishFile(parts, request('1h'));
    expect(first).toEqual({ ok: true, value: { version: 1, changed: true, plan } });
    expect(await publishFile(parts, request('1h'))).toMatchObject({
      ok: true,
      value: { version: 1, changed: false },
    });
    expect(asked).toEqual(['ann, by publishing version 1,', 'ann']);
    // Where the copy of a node lies is nobody's wish; with tsched publish it is.
    const moved = { ...request('1h'), directory: '/other' };
    expect(await publishFile(parts, { ...moved, anyDirectory: true })).toMatchObject({
      value: { changed: false },
    });
    expect(await publishedFile(files).read()).toMatchObject(request('1h'));
  });

  it('refuses one with errors, with the lines they stand in, and keeps what is in force', async () => {
    const { parts, asked } = conductor();
    const answer = await publishFile(parts, request('1 fortnight'));
    expect(answer).toMatchObject({
      ok: false,
      refusal: {
        refused: 'bad_file',
        problems: [{ file: 'jobs.yaml', line: 2, frame: expect.stringContaining('fortnight') }],
      },
    });
    expect(await files.newest()).toBeUndefined();
    expect(asked).toEqual([]);
  });

  it('tells beforehand what it would change', async () => {
    const { parts, asked } = conductor();
    const planned = { version: 1, changed: true, plan: { kind: 'planned' } };
    expect(await publishFile(parts, { ...request('1h'), dryRun: true })).toMatchObject({ value: planned });
    expect(await publishFile(parts, { ...request('1 fortnight'), dryRun: true })).toMatchObject({
      refusal: { refused: 'bad_file' },
    });
    expect(await files.newest()).toBeUndefined();
    expect(asked).toEqual([]);
    await publishFile(parts, request('1h'));
    expect(await publishFile(parts, { ...request('1h'), dryRun: true })).toMatchObject({
      value: { version: 1, changed: false },
    });
  });

  it('is for the node that conducts', async () => {
    const { parts } = conductor();
    for (const term of [undefined, 6])
      expect(await publishFile({ ...parts, term: () => term }, request('1h'))).toMatchObject({
        ok: false,
        refusal: { refused: 'cluster_away', message: expect.stringContaining('does not conduct') },
      });
    expect(await files.newest()).toBeUndefined();
  });

  it('can come before anything is decided', async () => {
    const parts = { ...conductor().parts, ...undecided(options) };
    expect(await publishFile(parts, request('1 fortnight'))).toMatchObject({
      refusal: { refused: 'bad_file' },
    });
    expect(await publishFile(parts, request('1h'))).toMatchObject({ value: { version: 1, changed: true } });
  });

  it('has an empty set before there is any', async () => {
    expect(await loadJobFile(options, { given: NO_JOBS })).toMatchObject({
      ok: true,
      file: { jobs: [], warnings: [] },
    });
  });

  it('waits for the database, whoever asks', async () => {
    const { parts } = conductor();
    await publishFile(parts, request('1h'));
    await server.kill();
    expect(await publishFile(parts, request('2h'))).toMatchObject({
      ok: false,
      refusal: { refused: 'cluster_away' },
    });
    await expect(publishedFile(files).read()).rejects.toThrow(FileUnread);
    await server.start();
    expect(await publishFile(parts, request('2h'))).toMatchObject({ ok: true, value: { version: 2 } });
  });
});
