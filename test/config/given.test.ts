import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadJobFileApart, loadInChild } from '../../src/config/apart.ts';
import { loadJobFile, type JobDocument, type LoadResult } from '../../src/config/load.ts';
import { Files, found, lines, OPTIONS } from './support.ts';

/** Nothing of it is on the disk. */
const DIRECTORY = '/nowhere/tsched';

function loadGiven(documents: readonly JobDocument[], path = `${DIRECTORY}/jobs.yaml`): Promise<LoadResult> {
  return loadJobFileApart(path, { ...OPTIONS, documents });
}

function ids(result: LoadResult): string[] {
  if (!result.ok) throw new Error(lines(result).join('\n'));
  return result.file.jobs.map(({ id }) => id);
}

const main = (include: string): JobDocument => ({
  path: 'jobs.yaml',
  text: `include: ${include}\ntimezone: Europe/Berlin\njobs:\n  a: { every: 1h, run: x }\n`,
});
const more: JobDocument = {
  path: 'conf.d/more.yaml',
  text: 'jobs:\n  b: { every: 1h, run: x, cwd: here }\n  m: { every: 1h, module: ./m.ts }\n',
};

describe('a job file that is given as documents', () => {
  it.each(['conf.d/*.yaml', 'conf.d/more.yaml', `${DIRECTORY}/conf.d/more.yaml`])(
    'is read with what it includes as %s',
    async (include) => {
      const result = await loadGiven([main(include), more]);
      expect(ids(result)).toEqual(['a', 'b', 'm']);
      expect(result).toMatchObject({
        file: {
          path: `${DIRECTORY}/jobs.yaml`,
          sources: [`${DIRECTORY}/jobs.yaml`, `${DIRECTORY}/conf.d/more.yaml`],
          // The files of another machine are not there to be watched.
          watched: [],
          jobs: [
            { id: 'a' },
            {
              source: { file: `${DIRECTORY}/conf.d/more.yaml`, line: 2 },
              surroundings: { cwd: `${DIRECTORY}/conf.d/here` },
            },
            { task: { path: `${DIRECTORY}/conf.d/m.ts` } },
          ],
        },
      });
    },
  );

  it('is what the same files on the disk are, and says so by its hash', async () => {
    using files = new Files();
    const path = files.write('jobs.yaml', main('conf.d/*.yaml').text);
    const included = files.write('conf.d/more.yaml', more.text);
    const [disk, given] = [
      await loadJobFile(path, OPTIONS),
      await loadGiven([main('conf.d/*.yaml'), more], path),
    ];
    if (!disk.ok || !given.ok) throw new Error('both must load');
    expect(given.file.jobs).toEqual(disk.file.jobs);
    expect(given.file.hash).toBe(disk.file.hash);
    expect(disk.file.sources).toEqual([path, included]);
    const changed = await loadGiven(
      [main('conf.d/*.yaml'), { ...more, text: more.text.replace('1h', '2h') }],
      path,
    );
    if (!changed.ok) throw new Error('it must load');
    expect(changed.file.hash).not.toBe(disk.file.hash);
  });

  it('names its files as they came, with the lines of their text', async () => {
    const result = await loadGiven([
      main('conf.d/*.yaml'),
      { ...more, text: 'jobs:\n  b: { evry: 1h, run: x }\n' },
    ]);
    expect(found(result).map(({ file }) => file)).toContain('conf.d/more.yaml');
    expect(result).toMatchObject({ ok: false, missing: false });
    expect(result.ok || result.texts.get('conf.d/more.yaml')).toContain('evry');
  });

  it('that names a file that did not come along is refused', async () => {
    expect(lines(await loadGiven([main('conf.d/other.yaml'), more]))).toContain(
      '1:10 error include: conf.d/other.yaml is not among the files that came with this one',
    );
    expect(lines(await loadGiven([main('"{a,b}.yaml"'), more]))).toContain(
      '1:10 error include: braces are not expanded here | write a list of paths or globs',
    );
  });

  it('never looks at a file of this machine in place of one that should have come', async () => {
    using files = new Files();
    const here = files.write('here.yaml', 'jobs:\n  z: { every: 1h, run: x }\n');
    const result = await loadGiven([main(here)], files.path('jobs.yaml'));
    expect(lines(result).join()).toContain('is not among the files that came with this one');
  });

  it('that is too long is refused', async () => {
    const documents = [{ path: 'jobs.yaml', text: `${'#'.repeat(2000)}\njobs: {}\n` }];
    const result = await loadJobFile(`${DIRECTORY}/jobs.yaml`, { ...OPTIONS, documents, maxFileSize: 1000 });
    expect(lines(result).join()).toContain('the file has more than the limit of');
  });

  it('still watches files of the environment, which are read here', async () => {
    using files = new Files();
    const env = files.path('a.env');
    writeFileSync(env, 'NAME=value\n');
    const text = `env_file: ${env}\njobs:\n  a: { every: 1h, run: x }\n`;
    expect(await loadGiven([{ path: 'jobs.yaml', text }])).toMatchObject({
      file: { watched: [env], jobs: [{ surroundings: { env: { NAME: 'value' } } }] },
    });
  });

  it('reaches the process that reads large ones', async () => {
    const many = Array.from({ length: 2000 }, (_, n) => `  job-${n}: { every: 1h, run: "x ${n}" }\n`);
    const large: JobDocument = { path: 'conf.d/more.yaml', text: `jobs:\n${many.join('')}` };
    const documents = [main('conf.d/*.yaml'), large];
    const options = { ...OPTIONS, documents };
    const path = `${DIRECTORY}/jobs.yaml`;
    const [child, here] = [await loadInChild(path, options), await loadJobFile(path, options)];
    if (!child.ok || !here.ok) throw new Error('both must load');
    expect(child.file.jobs).toHaveLength(2001);
    expect({ ...child.file }).toEqual({ ...here.file });
    expect(ids(await loadGiven(documents))).toHaveLength(2001);
  });

  it('that is large may need jobs of another file', async () => {
    const filler = Array.from({ length: 1000 }, (_, n) => `  job-${n}: { every: 1h, run: "x ${n}" }\n`);
    const text = `jobs:\n${filler.join('')}  last: { every: 1h, run: x, needs: elsewhere }\n`;
    expect(text.length).toBeGreaterThan(32 * 1024);
    const options = { ...OPTIONS, text, jobs: ['elsewhere'] };
    expect(ids(await loadJobFileApart(`${DIRECTORY}/added`, options))).toContain('last');
  });
});
