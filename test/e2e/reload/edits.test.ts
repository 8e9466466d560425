/** The job file is edited in every way that files are edited, while a job runs every second. */
import {
  appendFileSync,
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, it } from 'vitest';
import {
  applied,
  errors,
  expectNothingLostNorTwice,
  moreOf,
  rename,
  retarget,
  swap,
  ticking,
  type Lay,
  type Ticking,
} from './support.ts';

interface Edit {
  readonly name: string;
  readonly lay?: Lay;
  /** It writes into the file that was there. */
  readonly sameFile?: boolean;
  /** Puts this text where the daemon finds it; called twice, so that what is watched after a change is proved too. */
  readonly edit: (directory: string, text: string, time: number) => Promise<void> | void;
}

/** A file whose name is a link into another directory. */
const linked: Lay = (directory) => {
  mkdirSync(join(directory, 'conf'));
  symlinkSync('conf/jobs.yaml', join(directory, 'jobs.yaml'));
};

const kubernetes: Lay = (directory) => {
  mkdirSync(join(directory, 'd0'));
  symlinkSync('d0', join(directory, '..data'));
  symlinkSync('..data/jobs.yaml', join(directory, 'jobs.yaml'));
};

const edits: readonly Edit[] = [
  {
    name: 'in place',
    sameFile: true,
    edit: (directory, text) => writeFileSync(join(directory, 'jobs.yaml'), text),
  },
  {
    name: 'a few bytes, a pause, the rest (F73)',
    sameFile: true,
    edit: async (directory, text) => {
      const path = join(directory, 'jobs.yaml');
      writeFileSync(path, text.slice(0, 5));
      await pause(200);
      appendFileSync(path, text.slice(5));
    },
  },
  {
    name: 'a hundred bytes at a time',
    sameFile: true,
    edit: async (directory, text) => {
      const path = join(directory, 'jobs.yaml');
      writeFileSync(path, '');
      for (let at = 0; at < text.length; at += 100) {
        appendFileSync(path, text.slice(at, at + 100));
        await pause(20);
      }
    },
  },
  { name: 'by rename (F76)', edit: (directory, text) => rename(join(directory, 'jobs.yaml'), text) },
  {
    name: 'by the target of a symbolic link (F77)',
    lay: linked,
    edit: (directory, text, time) => {
      writeFileSync(join(directory, `v${time}.yaml`), text);
      retarget(join(directory, 'jobs.yaml'), `v${time}.yaml`);
    },
  },
  {
    name: 'as a Kubernetes ConfigMap (F78)',
    lay: kubernetes,
    edit: (directory, text, time) => {
      mkdirSync(join(directory, `d${time}`));
      writeFileSync(join(directory, `d${time}/jobs.yaml`), text);
      swap(join(directory, '..data'), `d${time}`);
    },
  },
  {
    name: 'with its whole directory (F79)',
    lay: linked,
    edit: (directory, text, time) => {
      renameSync(join(directory, 'conf'), join(directory, `old${time}`));
      mkdirSync(join(directory, 'conf'));
      writeFileSync(join(directory, 'conf/jobs.yaml'), text);
    },
  },
];

/** Two edits one after the other, each with a job more. */
async function twice(started: Ticking, edit: Edit['edit']): Promise<void> {
  const { daemon, directory, file } = started;
  await edit(directory, file('tick', 'one'), 1);
  await applied(daemon, 'one');
  await edit(directory, file('tick', 'one', 'two'), 2);
  await applied(daemon, 'two');
  await moreOf(started, 'two', 2);
}

describe.concurrent('a job file that is replaced', () => {
  for (const { name, lay, sameFile = false, edit } of edits) {
    it(`${name}: loses nothing, repeats nothing`, async ({ expect, onTestFinished }) => {
      const started = await ticking({ later: onTestFinished, ...(lay === undefined ? {} : { lay }) });
      // Held open, so that no later file can have its number.
      const held = openSync(started.daemon.file, 'r');
      const before = fstatSync(held).ino;
      const text = readFileSync(started.daemon.file, 'utf8');
      await twice(started, edit);
      expect(readFileSync(started.daemon.file, 'utf8')).not.toBe(text);
      expect(statSync(started.daemon.file).ino === before, 'the same file').toBe(sameFile);
      closeSync(held);
      await expectNothingLostNorTwice(started, 'tick');
      await expectNothingLostNorTwice(started, 'one');
    });
  }
});

describe.concurrent('a job file that cannot be had', () => {
  it('deleted (F75): the jobs stay and the log says so once; when it is back it is loaded', async ({
    expect,
    onTestFinished,
  }) => {
    const started = await ticking({ later: onTestFinished });
    const { daemon, file } = started;
    rmSync(daemon.file);
    const gone = await daemon.waitFor('word of the missing file', ({ msg }) => /no such file/.test(msg));
    expect(gone.level).toBe('error');
    await moreOf(started, 'tick', 2);
    writeFileSync(daemon.file, file('tick', 'back'));
    await applied(daemon, 'back');
    await moreOf(started, 'back', 1);
    expect(
      daemon.lines.filter(({ msg }) => /the job file is gone; the jobs loaded before stay/.test(msg)),
    ).toHaveLength(1);
    await expectNothingLostNorTwice(started);
  });

  it('broken (F72): the jobs stay; the log has place, text and caret, once; the mended file is loaded', async ({
    expect,
    onTestFinished,
  }) => {
    const started = await ticking({ later: onTestFinished });
    const { daemon, file } = started;
    appendFileSync(daemon.file, ':::\n');
    const kept = await daemon.waitFor('the refusal', ({ msg }) => /the jobs loaded before stay/.test(msg));
    expect(kept.level).toBe('error');
    const told = errors(daemon);
    expect(told).toHaveLength(2);
    expect(told[0]?.msg).toContain(`${daemon.file}:5:`);
    expect(told[0]?.msg).toMatch(/> 5 │ :::\n\s+│ +\^/);
    await moreOf(started, 'tick', 2);
    expect(errors(daemon)).toHaveLength(2);
    writeFileSync(daemon.file, file('tick', 'mended'));
    await applied(daemon, 'mended');
    await moreOf(started, 'mended', 1);
    await expectNothingLostNorTwice(started);
  });

  it('an unfinished rewrite that is empty for a while: an error, not "no jobs" (F74)', async ({
    expect,
    onTestFinished,
  }) => {
    const started = await ticking({ later: onTestFinished });
    const { daemon } = started;
    writeFileSync(daemon.file, '');
    await daemon.waitFor('the refusal', ({ msg }) => /the jobs loaded before stay/.test(msg));
    expect(statSync(daemon.file).size).toBe(0);
    await moreOf(started, 'tick', 2);
    expect(daemon.events('jobs_applied')).toEqual([]);
    await expectNothingLostNorTwice(started);
  });

  it('cut off so that it is valid (F74): what is left is taken, loudly', async ({
    expect,
    onTestFinished,
  }) => {
    const started = await ticking({ later: onTestFinished });
    const { daemon, file } = started;
    const ids = ['tick', ...Array.from({ length: 11 }, (_, n) => `more-${n}`)];
    const text = file(...ids);
    rename(daemon.file, text);
    await applied(daemon, 'more-0');
    rename(daemon.file, text.slice(0, text.indexOf('  more-0:')));
    const warning = await daemon.waitFor('a warning', ({ msg }) => /was it cut off/.test(msg));
    expect(warning).toMatchObject({
      level: 'warning',
      msg: '11 of 12 jobs are no longer in the job file; was it cut off?',
    });
    await daemon.waitFor(
      'the removal',
      ({ event, removed }) => event === 'jobs_applied' && (removed as string[]).length > 0,
    );
    await moreOf(started, 'tick', 1);
    await expectNothingLostNorTwice(started);
  });

  it('thousands of mistakes are a few lines of log', async ({ expect, onTestFinished }) => {
    const started = await ticking({ later: onTestFinished });
    const { daemon, file } = started;
    const broken = Array.from(
      { length: 3000 },
      (_, n) => `  j${n}:\n    cron: "0 0 * * 9"\n    run: "true"\n`,
    );
    rename(daemon.file, file('tick') + broken.join(''));
    const kept = await daemon.waitFor('the refusal', ({ msg }) => /the jobs loaded before stay/.test(msg));
    expect(kept.msg).toBe('the job file has 500 errors or more; the jobs loaded before stay');
    expect(errors(daemon)).toHaveLength(22);
    expect(errors(daemon)[20]?.msg).toBe(`480 more; "tsched validate ${daemon.file}" shows them all`);
    await moreOf(started, 'tick', 1);
    await expectNothingLostNorTwice(started);
  });
});

describe.concurrent('files beside the job file', () => {
  it('an env file: jobs see what it says now', async ({ expect, onTestFinished }) => {
    const started = await ticking({ later: onTestFinished });
    const { daemon, directory, kept } = started;
    writeFileSync(join(directory, 'a.env'), 'WORD=first\n');
    const job = `  tick:\n    run: ${kept.line('$WORD')}\n    cron: "* * * * * *"\n`;
    rename(daemon.file, `env_file: [a.env]\njobs:\n${job}`);
    const said = (word: string) => () => kept.executions('tick').some(({ more }) => more === word);
    await daemon.until('a run that sees the env file', said('first'));
    writeFileSync(join(directory, 'a.env'), 'WORD=second\n');
    await daemon.until('a run that sees the change', said('second'));
    expect(kept.executions('tick').at(-1)?.more).toBe('second');
    await expectNothingLostNorTwice(started);
  });

  it('an included file: changed, broken, mended; one that a glob finds later', async ({
    expect,
    onTestFinished,
  }) => {
    const started = await ticking({ later: onTestFinished });
    const { daemon, directory, file } = started;
    const more = join(directory, 'jobs.d');
    mkdirSync(more);
    rename(daemon.file, `include: [jobs.d/*.yaml]\n${file('tick')}`);
    await daemon.waitFor('the include', ({ event }) => event === 'jobs_applied');
    writeFileSync(join(more, 'a.yaml'), file('one'));
    await applied(daemon, 'one');
    rename(join(more, 'a.yaml'), `${file('one')}  two: {}\n`);
    const refusal = await daemon.waitFor('the mistake', ({ level }) => level === 'error');
    expect(refusal.msg).toContain('jobs.d/a.yaml:5:');
    writeFileSync(join(more, 'a.yaml'), file('one', 'two'));
    await applied(daemon, 'two');
    await moreOf(started, 'two', 1);
    await expectNothingLostNorTwice(started);
    await expectNothingLostNorTwice(started, 'one');
  });
});
