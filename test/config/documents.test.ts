import { describe, expect, it } from 'vitest';
import { joinDocuments, splitDocuments } from '../../src/config/documents.ts';
import { readJobFile } from '../../src/config/job-file.ts';

const OPTIONS = { environment: { HOME: '/root' }, hostTimezone: 'UTC', now: 0 };

const TEXT = `
timezone: Europe/Berlin
env: { LANG: "C" }
jobs:
  a: { every: 5m, run: "echo 1 # 'x'" }
  b:
    cron: "*/5 * * * *"
    command: [ls, "-l", "007"]
    retry: 3
    env: { HOME_OF: "\${HOME}" }
`;

async function jobsOf(text: string) {
  const result = await readJobFile('/srv/added.yaml', { ...OPTIONS, text });
  if (!result.ok) throw new Error(result.errors.map(({ message }) => message).join());
  return result.file.jobs.map((job) => Object.assign({}, job, { source: undefined }));
}

describe('documents of added jobs', () => {
  it('mean what the file meant they were cut from, and are joined by their settings', async () => {
    const documents = await splitDocuments(TEXT);
    expect([...documents.keys()]).toEqual(['a', 'b']);
    const other = await splitDocuments('jobs: { c: { every: 1s, run: "true" } }');
    const joined = joinDocuments([...documents.values(), ...other.values()]);
    expect(joined).toHaveLength(2);
    expect(await jobsOf(joined[0] ?? '')).toEqual(await jobsOf(TEXT));
  });

  it('are equal for equal jobs, however they are written', async () => {
    const [flow, block] = await Promise.all([
      splitDocuments('{"jobs": {"a": {"every": "5m", "run": "true"}}}'),
      splitDocuments('jobs:\n  a:\n    every: 5m\n    run: "true" # a comment\n'),
    ]);
    expect(flow).toEqual(block);
  });

  it('are not to be had from other files', async () => {
    const result = await readJobFile('given', {
      ...OPTIONS,
      text: 'include: [/etc/*.yaml]\njobs: { a: { every: 5m, run: x } }',
    });
    expect(result).toMatchObject({
      ok: false,
      errors: [{ message: 'jobs that are given as text cannot include files' }],
    });
  });

  it('are told of by the same words as a file, with lines of the text that was given', async () => {
    const text = 'jobs:\n  a: { every: 5m, run: x }\n  b: { evry: 5m, run: x }\n';
    const result = await readJobFile('given', { ...OPTIONS, text });
    expect(result).toMatchObject({
      ok: false,
      watched: [],
      errors: [{ file: 'given', line: 3, message: 'unknown key "evry"', hint: 'did you mean "every"?' }],
    });
  });
});
