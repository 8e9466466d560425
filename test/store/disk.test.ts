/** Disks that are full or cannot be written, a thread that dies, and a row that cannot be recorded. */
import { statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isLocked, takeLock } from '../../src/store/lock.ts';
import { directory } from '../support/daemon.ts';
import { canMount, namespace, type Namespace } from '../support/namespace.ts';
import { contentsOf, StoreProcess } from '../support/store-process.ts';
import { runOf, skipOf } from './conformance.ts';
import { database, expectComplete, finished, history, idOf, later } from './fault.ts';

const FILL = 'dd if=/dev/zero of=ballast bs=4k 2>/dev/null';

describe.runIf(canMount)('a file system of 2 MB', () => {
  async function small(): Promise<{ path: string; disk: Namespace; start: () => StoreProcess }> {
    const path = database();
    const disk = await namespace(join(path, '..'), 'mount -t tmpfs -o size=2m,mode=700 tmpfs .', later);
    return { path, disk, start: () => new StoreProcess(path, later, disk.enter) };
  }

  /** Its history, seen from outside. */
  function copyOf(disk: Namespace): string {
    const copy = join(directory(later), 'copy.db');
    writeFileSync(copy, disk.read('tsched.db'));
    return copy;
  }

  it('that fills up: the history waits, and is complete when there is room again', async () => {
    const { disk, start } = await small();
    const store = await start().opened();
    expect(await history(store, 100, 5)).not.toContain(false);
    disk.run(`${FILL}; :`);
    expect(disk.run('df --output=avail . | tail -1').trim()).toBe('0');
    let slot = 1000;
    while (store.isDegraded() === undefined) {
      expect(await history(store, slot, 10)).not.toContain(false);
      slot += 20;
      expect(slot).toBeLessThan(100_000);
    }
    expect(store.health[0]).toMatchObject({ message: 'database or disk is full' });
    expect(await history(store, 200_000, 200)).not.toContain(false);
    disk.run('rm ballast');
    expect(await store.healed()).toMatchObject({ dropped: 0 });
    await history(store, 300_000, 1);
    await store.close();
    expectComplete(store, copyOf(disk));
  });

  it('that is full at the start is refused with the reason, and the next start does not stumble over it', async () => {
    const { disk, start } = await small();
    for (const pages of [0, 1, 2, 4]) {
      disk.run(`rm -f tsched.db* lock ballast; ${FILL}; truncate -s -${pages * 4096} ballast`);
      const store = start();
      await store.until('its answer', () => store.refusal ?? store.pid);
      expect(store.refusal?.message).toMatch(/full|no space|disk I\/O error/i);
    }
    disk.run('rm ballast');
    const store = await start().opened();
    expect(await history(store, 100, 5)).not.toContain(false);
    await store.close();
    expectComplete(store, copyOf(disk));
  });
});

describe.runIf(canMount)('a file system that is read-only', () => {
  it('is refused at the start, and nothing is changed', async () => {
    const path = database();
    const store = await new StoreProcess(path, later).opened();
    await history(store, 100, 5);
    await store.close();
    const state = join(path, '..');
    const { enter } = await namespace(
      state,
      `mount --bind . . && mount -o remount,ro,bind '${state}'`,
      later,
    );
    const { message } = await new StoreProcess(path, later, enter).refused();
    expect(message).toMatch(/read-only|readonly|EROFS/i);
    expectComplete(store, path);
  });
});

describe('the thread that writes', () => {
  it('dies: another takes its place, and what it was asked is not lost', async () => {
    const path = database();
    const store = await new StoreProcess(path, later).opened();
    await history(store, 100, 3);
    for (let death = 0; death < 3; death += 1) {
      const slot = 1000 * (death + 1);
      // Under way, or not yet begun, or just done: whichever it is, it is to be there once.
      const won = store.claim([runOf(idOf(slot), slot)], [skipOf(slot + 1)]);
      const ended = store.endThread();
      expect(await won).toEqual([true]);
      await ended;
      await store.save(finished(slot));
      expect(await history(store, slot + 2, 3)).not.toContain(false);
      await store.until('its death to be told', () => store.health.length > 2 * death);
      await store.healed();
    }
    await store.close();
    expectComplete(store, path);
  });
});

describe('a row that the database refuses', () => {
  it('is left out, and told; all that came with it is recorded', async () => {
    const path = database();
    const store = await new StoreProcess(path, later).opened();
    // Instants are whole numbers, and the tables know it.
    const odd = runOf('odd', 100.5);
    const claims = [
      ...Array.from({ length: 9 }, (_, n) => runOf(idOf(200 + n), 200 + n)),
      odd,
      runOf(idOf(300), 300),
    ];
    expect(await store.claim(claims, [skipOf(301), skipOf(302.5), skipOf(303)])).toEqual(
      claims.map(() => true),
    );
    expect(await store.claim([runOf('again', 204)])).toEqual([false]);
    expect(store.unwritable).toHaveLength(2);
    expect(store.unwritable[0]).toMatch(/INTEGER/);
    expect(store.health).toEqual([]);
    for (const id of ['odd', 'again']) store.runs.delete(id);
    store.skips.splice(1, 1);
    await history(store, 400, 3);
    await store.close();
    expectComplete(store, path);
  });
});

describe('the lock', () => {
  it.each([
    ['is empty', ''],
    ['holds what is no database', `${process.pid}\n`],
    ['was half made', 'SQLite format 3\0\u0010\0\u0001\u0001\0@  '],
  ])('is taken though the file %s', (_, text) => {
    const path = join(directory(later), 'lock');
    writeFileSync(path, text);
    expect(isLocked(path)).toBe(false);
    const lock = takeLock(path);
    later(() => lock?.release());
    expect(lock).toBeDefined();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('is held whatever is done to the file, until its holder ends', async () => {
    const path = database();
    const lock = join(path, '..', 'lock');
    const store = await new StoreProcess(path, later).opened();
    const second = async (): Promise<string> => (await new StoreProcess(path, later).refused()).message;
    expect(await second()).toContain('already');
    truncateSync(lock);
    expect(await second()).toContain('already');
    writeFileSync(lock, 'garbage');
    expect(await second()).toContain('already');
    process.kill(store.pid ?? 0, 'SIGKILL');
    await store.until('its end', () => store.ended);
    const next = await new StoreProcess(path, later).opened();
    await next.close();
    expect(contentsOf(path).runs).toEqual([]);
  });
});
