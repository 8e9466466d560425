import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BLANK, bench, shell, surroundings, temporaryDirectory } from './harness.ts';

const run = (script: string, more = {}) => bench().start(shell(script, more)).outcome;

describe('the result of a shell line', () => {
  it.each([
    [`echo '{"rows":3}' > "$TSCHED_RESULT"`, { rows: 3 }],
    ['echo 42 > "$TSCHED_RESULT"', 42],
    ['echo some words > "$TSCHED_RESULT"', 'some words'],
    [String.raw`printf 'two\nlines\n\n' > "$TSCHED_RESULT"`, 'two\nlines\n'],
    [String.raw`printf '\377x' > "$TSCHED_RESULT"`, '\uFFFDx'],
  ])('%s', async (script, result) => {
    expect(await run(script)).toEqual({ kind: 'succeeded', exitCode: 0, result });
  });

  it.each(['true', ': > "$TSCHED_RESULT"'])('%s: there is none', async (script) => {
    expect(await run(script)).toEqual({ kind: 'succeeded', exitCode: 0 });
  });

  it('is not kept of one that fails', async () => {
    expect(await run('echo 1 > "$TSCHED_RESULT"; exit 3')).toEqual({ kind: 'failed', exitCode: 3 });
  });

  it.each([
    [
      `head -c 70000 /dev/zero | tr '\\0' x > "$TSCHED_RESULT"`,
      /^its result of 70000 bytes was not kept: at most 65536/v,
    ],
    // Short as it stands, long as it would be handed on.
    [
      `printf '[1e20' > "$TSCHED_RESULT"; i=0; while [ $i -lt 6000 ]; do echo ,1e20; i=$((i+1)); done >> "$TSCHED_RESULT"; echo ']' >> "$TSCHED_RESULT"`,
      /^its result of 132\d+ bytes/v,
    ],
    ['mkfifo "$TSCHED_RESULT"', /^its result is not a file$/v],
    ['mkdir "$TSCHED_RESULT"', /^its result is not a file$/v],
    ['ln -s /etc/passwd "$TSCHED_RESULT"', /^its result cannot be read: ELOOP/v],
  ])('%s: succeeds without', async (script, hint) => {
    expect(await run(script)).toEqual({ kind: 'succeeded', exitCode: 0, hint: expect.stringMatching(hint) });
  });

  it('is there for the next daemon too', async () => {
    const { executor, start } = bench();
    const spec = shell('echo [7] > "$TSCHED_RESULT"');
    await start({ ...spec, runId: 'r' }).outcome;
    const found = await executor.recover({ ...BLANK, ...spec, runId: 'r' }, {});
    expect(found).toMatchObject({ kind: 'ended', outcome: { kind: 'succeeded', exitCode: 0, result: [7] } });
  });

  it('is no matter for a job of another user, who could not write it', async () => {
    const { start } = bench();
    const attempt = start(shell('echo "${TSCHED_RESULT-none}"', surroundings({ group: 'nobody' })));
    await attempt.outcome;
    expect(existsSync(`${attempt.base}.result`)).toBe(false);
    expect(attempt.log()).not.toContain('attempt-1.result');
  });
});

describe('what a run is told of those it follows or needs', () => {
  const upstream = [
    { jobId: 'extract.all', runId: 'r1', outcome: 'succeeded', result: { rows: 3 } },
    { jobId: 'text', runId: 'r2', outcome: 'succeeded', result: 'a\0b' },
    { jobId: 'check-it', runId: 'r3', outcome: 'failed' },
    { jobId: 'gone', outcome: 'skipped' },
  ] as const;

  it('stands in the environment of a process', async () => {
    const attempt = bench().start(shell('env | grep ^TSCHED_NEEDS_ | sort', { upstream }));
    await attempt.outcome;
    expect(attempt.log().split('\n').slice(0, -1)).toEqual([
      'TSCHED_NEEDS_CHECK_IT_OUTCOME=failed',
      'TSCHED_NEEDS_EXTRACT_ALL_OUTCOME=succeeded',
      'TSCHED_NEEDS_EXTRACT_ALL_RESULT={"rows":3}',
      'TSCHED_NEEDS_GONE_OUTCOME=skipped',
      'TSCHED_NEEDS_TEXT_OUTCOME=succeeded',
      'TSCHED_NEEDS_TEXT_RESULT=a\uFFFDb',
    ]);
  });

  it.each(['process', 'thread'] as const)(
    'is needs of the context of a module, in a %s',
    async (isolation) => {
      const path = join(temporaryDirectory(), 'task.mjs');
      writeFileSync(path, 'export default ({ needs }) => needs;');
      const task = { kind: 'module', path, exportName: 'default', isolation, with: null } as const;
      expect(await bench().start({ task, upstream }).outcome).toEqual({
        kind: 'succeeded',
        result: {
          'extract.all': { runId: 'r1', outcome: 'succeeded', result: { rows: 3 } },
          text: { runId: 'r2', outcome: 'succeeded', result: 'a\0b' },
          'check-it': { runId: 'r3', outcome: 'failed' },
          gone: { outcome: 'skipped' },
        },
      });
      expect(readFileSync(path, 'utf8')).toContain('needs');
    },
  );
});
