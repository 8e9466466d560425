import { describe, expect, it } from 'vitest';
import { Files, found } from './support.ts';

const JOB = 'jobs:\n  j:\n    every: 1h\n    run: x\n';

describe('env files', () => {
  it('come before env, those of the file before those of the job', async () => {
    using files = new Files();
    files.write('file.env', 'A=1\nB=1\nC=1\nD=1\nE="two\nlines"\n');
    files.write('sub/job.env', '# x\nexport B=3\nC=3\nD=3\n');
    const job = await files.job(
      `env_file: [file.env, "?none.env"]\nenv: { B: "2", C: "2", D: "2" }\n${JOB}    env_file: sub/job.env\n    env: { D: "4" }\n`,
    );
    expect(job.surroundings.env).toEqual({ A: '1', B: '3', C: '3', D: '4', E: 'two\nlines' });
  });

  it.each([
    ['A=1\nB\n', 'line 2 is not NAME=value'],
    ['# c\n\n=1\n', 'line 3 is not NAME=value'],
    ['A B=1\n', 'line 1 is not NAME=value'],
    ['A="x\nB=`y`\nC="z"\n', 'line 1 is not NAME=value'],
    ['A="x\\"y"\r\n', 'line 1 is not NAME=value'],
    ['A=1\nB=x\0y\n', 'line 2 holds a NUL character'],
  ])('that would be misread are refused: %j', async (text, said) => {
    using files = new Files();
    const path = files.write('a.env', text);
    expect(found(await files.load(`env_file: a.env\n${JOB}`))).toMatchObject([
      { severity: 'error', line: 1, message: `${path}: ${said}` },
    ]);
  });

  it('may hold comments, blank lines, exports, quotes and empty values', async () => {
    using files = new Files();
    files.write(
      'a.env',
      '\ufeff# c\r\n\r\n  export A = 1 # c\r\nB=\r\nC=#c\nD="x # y" # c\nE=\'"\'\nF=`a\n#b`\nG=a"b=c # c\n  # c\n  # c\nH.i-j=\u00e9\nI=a#b\nJ= # c\nK="a\\nb"\nL=last',
    );
    const { surroundings } = await files.job(`env_file: a.env\n${JOB}`);
    expect(surroundings.env).toEqual({
      A: '1',
      B: '',
      C: '#c',
      D: 'x # y',
      E: '"',
      F: 'a\n#b',
      G: 'a"b=c',
      'H.i-j': '\u00e9',
      I: 'a#b',
      J: '',
      K: 'a\nb',
      L: 'last',
    });
  });

  it('are watched and hashed, there or not', async () => {
    using files = new Files();
    const text = `env_file: "?later.env"\n${JOB}`;
    const before = await files.loaded(text);
    expect(before.watched).toContain(files.path('later.env'));
    files.write('later.env', 'A=1\n');
    expect((await files.loaded(text)).hash).not.toBe(before.hash);
  });
});

describe('files that hold the value of a variable', () => {
  it('are read for the file and for a job, but for their last line break', async () => {
    using files = new Files();
    files.write('secrets/a', 'of the file\n');
    files.write('secrets/b', ' two\nlines \r\n');
    const job = await files.job(
      `env: { A: { from: secrets/a }, B: { from: "?none" }, C: c }\n${JOB}    env: { B: { from: secrets/b }, D: { from: "?none" } }\n`,
    );
    expect(job.surroundings.env).toEqual({ A: 'of the file', B: ' two\nlines ', C: 'c' });
  });

  it('give way to a value of the job, and take the place of one in defaults', async () => {
    using files = new Files();
    files.write('a', 'x');
    const defaults = 'defaults: { env: { A: { from: a }, B: "2" } }\n';
    const job = await files.job(`${defaults}${JOB}    env: { A: "1", B: { from: a } }\n`);
    expect(job.surroundings.env).toEqual({ A: '1', B: 'x' });
  });

  it.each([
    ['{ from: none }', /^A: \/.*\/none: .* \| create .*, or write "\?" before the path/],
    ['{ from: nul }', /^A: .*\/nul: it holds a NUL character/],
    ['{ from: large }', /^A: .*\/large: /],
    ['{}', /^A has no value \| write a text, or \{ from: PATH \}$/],
    ['{ file: nul }', /^unknown key "file"/],
    ['[a]', /^expected text, got a list/],
  ])('are refused where they cannot be: %s', async (written, wanted) => {
    using files = new Files();
    files.write('nul', 'a\0b');
    files.write('large', 'x'.repeat(65_537));
    const result = await files.load(`${JOB}    env: { A: ${written} }\n`);
    const said = found(result).map(({ line, message, hint }) => ({ line, said: `${message} | ${hint}` }));
    expect(said).toContainEqual({ line: 5, said: expect.stringMatching(wanted) });
  });

  it('are watched and hashed, there or not', async () => {
    using files = new Files();
    const text = `env: { A: { from: "?later" } }\n${JOB}`;
    const before = await files.loaded(text);
    expect(before.watched).toContain(files.path('later'));
    files.write('later', 'x');
    expect((await files.loaded(text)).hash).not.toBe(before.hash);
  });
});

describe('included files', () => {
  it('add their jobs, under the settings of both files', async () => {
    using files = new Files();
    files.write(
      'jobs.d/a.yaml',
      'timezone: Asia/Tokyo\nenv: { B: inner }\ndefaults: { nice: 1 }\njobs:\n  a: { every: 1h, run: x }\n',
    );
    files.write('jobs.d/b.yaml', 'jobs:\n  b: { every: 1h, run: x }\n');
    const file = await files.loaded(
      `include: [jobs.d/*.yaml, ./jobs.d/b.yaml]\ntimezone: UTC\nenv: { A: outer, B: outer }\ndefaults: { timeout: 1m, nice: 2 }\n`,
    );
    expect(
      file.jobs.map(({ id, source, schedule, surroundings, policy }) => ({
        id,
        ...source,
        ...schedule,
        ...surroundings,
        ...policy,
      })),
    ).toMatchObject([
      {
        id: 'a',
        file: files.path('jobs.d/a.yaml'),
        line: 5,
        timezone: 'Asia/Tokyo',
        env: { A: 'outer', B: 'inner' },
        nice: 1,
        timeout: 60_000,
        cwd: files.path('jobs.d'),
      },
      { id: 'b', line: 2, timezone: 'UTC', env: { A: 'outer', B: 'outer' }, nice: 2 },
    ]);
    expect(file.watched).toEqual(
      ['jobs.yaml', 'jobs.d', 'jobs.d/a.yaml', 'jobs.d/b.yaml'].map((name) => files.path(name)),
    );
  });

  it('may be none yet, but their directory must be there', async () => {
    using files = new Files();
    files.write('jobs.d/README', '');
    expect(found(await files.load(`include: jobs.d/*.yaml\n${JOB}`))).toEqual([]);
    expect(found(await files.load(`include: jbos.d/*.yaml\n${JOB}`))).toMatchObject([
      {
        severity: 'warning',
        line: 1,
        message: `there is no directory ${files.path('jbos.d')}, so this includes nothing`,
      },
    ]);
  });

  it.each([
    ['{1..100000000}.yaml', 'braces are not expanded here'],
    [`${'{a,b}'.repeat(40)}.yaml`, 'braces are not expanded here'],
    ['*'.repeat(70_000), 'the path is longer than 4096 characters'],
    ['a\\0*', 'a path cannot hold a NUL character'],
  ])('are not looked for by a pattern that would take for ever: %.20s', async (pattern, message) => {
    using files = new Files();
    const result = await files.load(`include: "${pattern}"\n${JOB}`);
    expect(found(result)).toMatchObject([{ severity: 'error', line: 1, path: 'include', message }]);
  });

  it('cannot include others, and are judged like the main file', async () => {
    using files = new Files();
    files.write('b.yaml', 'include: c.yaml\njobs:\n  b: { every: 5, run: x }\n');
    expect(found(await files.load(`include: b.yaml\n${JOB}`))).toMatchObject([
      { file: files.path('b.yaml'), line: 1, message: 'an included file cannot include others' },
      { file: files.path('b.yaml'), line: 3, message: 'expected a duration, got 5' },
    ]);
  });
});
