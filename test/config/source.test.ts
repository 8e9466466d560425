import { chmodSync, chownSync, existsSync, mkdirSync, statSync, symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadJobFile } from '../../src/config/load.ts';
import { readBytes } from '../../src/config/source.ts';
import { Files, lines, OPTIONS } from './support.ts';

const JOB = 'jobs:\n  j:\n    every: 1h\n    run: x\n';

describe('an unsafe file (F88)', () => {
  it('that everyone may write is refused as root, and warned of otherwise', async () => {
    using files = new Files();
    const path = files.write('jobs.yaml', JOB);
    chmodSync(path, 0o666);
    const as = async (uid: number): Promise<string[]> => lines(await loadJobFile(path, { ...OPTIONS, uid }));
    expect(await as(0)).toContain(
      '1:1 error everyone may write this file, and so choose what runs | chmod o-w it',
    );
    expect((await as(process.getuid?.() ?? 1)).join('\n')).toContain('everyone may write this file');
    chmodSync(path, 0o644);
    expect((await as(0)).join('\n')).not.toContain('everyone');
  });

  it('is judged behind its symbolic link', async () => {
    using files = new Files();
    chmodSync(files.write('real.yaml', JOB), 0o666);
    symlinkSync(files.path('real.yaml'), files.path('jobs.yaml'));
    expect((await loadJobFile(files.path('jobs.yaml'), { ...OPTIONS, uid: 0 })).ok).toBe(false);
  });

  it('whose directory everyone may change is refused as root', async () => {
    using files = new Files();
    mkdirSync(files.path('open'));
    const path = files.write('open/jobs.yaml', JOB);
    chmodSync(files.path('open'), 0o777);
    expect(lines(await loadJobFile(path, { ...OPTIONS, uid: 0 })).join('\n')).toContain(
      'error everyone may replace this file',
    );
  });

  it('of variables is judged likewise: PATH and LD_PRELOAD choose what runs too', async () => {
    using files = new Files();
    const path = files.write('jobs.yaml', `env_file: a.env\n${JOB}`);
    const variables = files.write('a.env', 'A=1\n');
    const load = async (): Promise<unknown> => loadJobFile(path, { ...OPTIONS, uid: 0 });
    chmodSync(variables, 0o666);
    expect(await load()).toMatchObject({
      ok: false,
      errors: [{ file: variables, message: 'everyone may write this file, and so choose what runs' }],
    });
    chmodSync(variables, 0o644);
    expect(JSON.stringify(await load())).not.toContain('everyone');
  });

  it('that belongs to another user is warned of', async () => {
    using files = new Files();
    const path = files.write('jobs.yaml', JOB);
    const uid = process.getuid?.() ?? 0;
    // Only root can give files away; anyone else can play the other user instead.
    if (uid === 0) chownSync(path, 12_345, 12_345);
    const said = lines(await loadJobFile(path, { ...OPTIONS, uid: uid === 0 ? 0 : uid + 1 }));
    expect(said.join('\n')).toMatch(/warning the file belongs to another user \(uid \d+\)/);
  });
});

describe('what cannot be read', () => {
  it.skipIf(!existsSync('/proc/self/pagemap'))(
    'is a file without an end, though it says that it has no size',
    () => {
      // Of this process's whole address space: 256 GiB.
      expect(statSync('/proc/self/pagemap').size).toBe(0);
      expect(readBytes('/proc/self/pagemap', 1024 * 1024)).toEqual({
        ok: false,
        missing: false,
        message: 'the file has more than the limit of 1.0 MiB',
      });
      const whole = readBytes('/proc/self/status', 1024 * 1024);
      expect(whole.ok && whole.bytes.toString()).toMatch(/^Name:[^]*\nnonvoluntary_ctxt_switches:.*\n$/);
    },
  );

  it.each(['cwd: "/a\\0b"', 'module: "a\\0b"', 'env_file: "?a\\0b"'])(
    'is a path with NUL: %s',
    async (key) => {
      using files = new Files();
      const task = key.startsWith('module') ? '' : '    run: x\n';
      expect(lines(await files.load(`jobs:\n  j:\n    every: 1h\n${task}    ${key}\n`)).join('\n')).toMatch(
        /error jobs\.j\.\w+: a path cannot hold a NUL character/,
      );
    },
  );

  it('is said, and that a file is missing', async () => {
    using files = new Files();
    expect(await loadJobFile(files.path('none.yaml'), OPTIONS)).toMatchObject({
      ok: false,
      missing: true,
      errors: [{ message: 'there is no such file' }],
      watched: [files.path('none.yaml')],
    });
    expect(await loadJobFile(files.directory, OPTIONS)).toMatchObject({
      ok: false,
      missing: false,
      errors: [{ message: 'this is a directory, not a file' }],
    });
  });
});
