import { chmodSync, chownSync, mkdirSync, symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadJobFile } from '../../src/config/load.ts';
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
