import { describe, expect, it } from 'vitest';
import { loadInChild } from '../../src/config/apart.ts';
import { changedKeys } from '../../src/schedule/changed-keys.ts';
import { changeOf } from '../../src/schedule/diff.ts';
import { Files, lines, OPTIONS } from './support.ts';

function jobs(keys: string): string {
  return `jobs:\n  j:\n    every: 1h\n    run: x\n    ${keys}\n`;
}

const LONGEST = `a${'b'.repeat(62)}`;

describe('runs_on', () => {
  it.each([
    ['runs_on: gpu', ['gpu']],
    ['runs_on: [gpu, eu]', ['eu', 'gpu']],
    ['runs_on: [gpu, eu, gpu]', ['eu', 'gpu']],
    [`runs_on: ["9", A.b_c-d, ${LONGEST}]`, ['9', 'A.b_c-d', LONGEST]],
    ['runs_on: any', undefined],
    ['runs_on: [any]', undefined],
    ['tags: [x]', undefined],
  ])('%s', async (keys, labels) => {
    using files = new Files();
    expect((await files.job(jobs(keys))).runsOn).toEqual(labels);
  });

  it('comes from defaults; a job names others in their place, or any', async () => {
    using files = new Files();
    const others = '  k: { every: 1h, run: x, runs_on: eu }\n  l: { every: 1h, run: x, runs_on: any }\n';
    const { jobs: all } = await files.loaded(`defaults: { runs_on: [gpu] }\n${jobs('tags: [x]')}${others}`);
    expect(all.map(({ runsOn }) => runsOn)).toEqual([['gpu'], ['eu'], undefined]);
  });

  it('comes back from a process of its own as it was', async () => {
    using files = new Files();
    const file = await files.loaded(`${jobs('runs_on: [gpu, eu]')}  k: { every: 1h, run: x }\n`);
    const apart = await loadInChild(files.path('jobs.yaml'), OPTIONS);
    expect(apart).toMatchObject({ ok: true, file: { jobs: file.jobs } });
    expect(apart.ok && apart.file.jobs.map(({ runsOn }) => runsOn)).toEqual([['eu', 'gpu'], undefined]);
  });

  const WHAT =
    'a label has letters, digits, ".", "_" and "-", at most 63 of them, and begins with a letter or digit; it is a name, such as gpu, and no expression';
  const seventeen = Array.from({ length: 17 }, (_, n) => `l${n}`).join(', ');
  it.each<readonly [keys: string, message: string]>([
    ['runs_on: gpu=true', `jobs.j.runs_on: "gpu=true" cannot be a label | ${WHAT}`],
    ['runs_on: [eu, "gpu big"]', `jobs.j.runs_on.1: "gpu big" cannot be a label | ${WHAT}`],
    ['runs_on: ""', `jobs.j.runs_on: "" cannot be a label | ${WHAT}`],
    [`runs_on: ${LONGEST}c`, `jobs.j.runs_on: "${LONGEST}c" cannot be a label | ${WHAT}`],
    ['runs_on: 7', 'jobs.j.runs_on: expected a label, got a number | quote it: "7"'],
    ['runs_on: []', 'jobs.j.runs_on: the list is empty'],
    ['runs_on: { gpu: yes }', 'jobs.j.runs_on: expected a label or a list, got a mapping'],
    [
      'runs_on: [any, gpu]',
      'jobs.j.runs_on: "any" is every node, whatever its labels | write any alone, or leave it out',
    ],
    [
      `runs_on: [${seventeen}]`,
      'jobs.j.runs_on: it names 17 labels, where 16 are the most | give the nodes that have them all one label more, and name that',
    ],
    ...['nodeSelector', 'runs-on', 'RunsOn', 'constraints', 'node_affinity', 'run_ons'].map(
      (key) => [`${key}: gpu`, `jobs.j.${key}: unknown key "${key}" | did you mean "runs_on"?`] as const,
    ),
    [
      'labels: gpu',
      'jobs.j.labels: unknown key "labels" | write tags: for words to select jobs by, or runs_on: for labels of the nodes that may run it',
    ],
  ])('%s is a mistake', async (keys, message) => {
    using files = new Files();
    const found = lines(await files.load(jobs(keys)));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^5:\d+ error /);
    expect(found[0]?.replace(/^5:\d+ error /, '')).toBe(message);
  });

  it('of another definition changes a job, which keeps its place in time', async () => {
    using files = new Files();
    const plain = await files.job(jobs('tags: [x]'));
    const labelled = await files.job(jobs('tags: [x]\n    runs_on: [gpu, eu]'));
    const again = await files.job(jobs('tags: [x]\n    runs_on: [eu, gpu]'));
    expect(changeOf(plain, labelled).kind).toBe('changed');
    expect(changeOf(labelled, plain).kind).toBe('changed');
    expect(changeOf(labelled, again).kind).toBe('unchanged');
    expect(changedKeys(plain, labelled)).toEqual(['runs_on']);
  });
});
