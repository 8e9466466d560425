import { existsSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { JobId, RunId } from '../../src/model.ts';
import { RunDirectories, type Sweep } from '../../src/tasks/run-directories.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { idAt } from '../store/files.ts';
import { temporaryDirectory, until } from './harness.ts';

const NOW = Date.UTC(2026, 0, 10);
const DAY = 24 * 3_600_000;

interface Owner {
  readonly jobId: JobId;
  readonly isFinished: boolean;
}

/** A directory with runs in it, and a history that knows some of them. */
class Rig {
  readonly directory = temporaryDirectory();
  readonly runs = new RunDirectories(this.directory, new FakeClock(NOW));
  readonly known = new Map<RunId, Owner>();
  readonly asked: number[] = [];

  make(id: RunId, owner?: Owner, at = NOW): RunId {
    const path = join(this.directory, id);
    mkdirSync(path);
    writeFileSync(join(path, 'attempt-1.log'), 'said\n');
    utimesSync(path, at / 1000, at / 1000);
    if (owner !== undefined) this.known.set(id, owner);
    return id;
  }

  /** Runs of a job, oldest first. */
  series(jobId: JobId, count: number, isFinished = true): RunId[] {
    return Array.from({ length: count }, (_, n) =>
      this.make(idAt(NOW - 100 * DAY + n, this.known.size), { jobId, isFinished }),
    );
  }

  sweep(keep: Readonly<Record<JobId, number>>): Promise<void> {
    const sweep: Sweep = {
      owners: async (ids) => {
        this.asked.push(ids.length);
        return this.known;
      },
      keepOf: (jobId) => keep[jobId] ?? 10,
    };
    return this.runs.sweep(sweep);
  }

  /** Waits until no more than these are left; gives what is there and should not be, and what should and is not. */
  async unlike(wanted: readonly string[]): Promise<string[]> {
    await until(`${wanted.length} directories to stay`, () => this.left().length <= wanted.length);
    const left = this.left();
    return [
      ...left.filter((name) => !wanted.includes(name)),
      ...wanted.filter((name) => !left.includes(name)),
    ];
  }

  left(): string[] {
    return readdirSync(this.directory).sort();
  }
}

describe('directories of runs', () => {
  it('stay for the newest runs of each job, those that earlier daemons left among them', async () => {
    const rig = new Rig();
    const a = rig.series('a', 5);
    const b = rig.series('b', 12);
    rig.series('none', 3);
    const active = rig.series('a', 4, false);
    await rig.sweep({ a: 2, none: 0 });
    expect(await rig.unlike([...a.slice(-2), ...b.slice(-10), ...active])).toEqual([]);

    const next = rig.make(idAt(NOW));
    rig.runs.finished({ id: next, jobId: 'a' }, 2);
    expect(await rig.unlike([...a.slice(-1), next, ...b.slice(-10), ...active])).toEqual([]);
    rig.runs.finished({ id: active[0] ?? '', jobId: 'a' }, 2);
    expect(await rig.unlike([...a.slice(-1), next, ...b.slice(-10), ...active.slice(1)])).toEqual([]);
    rig.runs.forget([next]);
    expect(await rig.unlike([...a.slice(-1), ...b.slice(-10), ...active.slice(1)])).toEqual([]);
  });

  it('count once, whether they are swept or their run ends first', async () => {
    const rig = new Rig();
    const [first = '', second = ''] = rig.series('a', 2);
    rig.runs.finished({ id: second, jobId: 'a' }, 2);
    await rig.sweep({ a: 2 });
    rig.runs.finished({ id: first, jobId: 'a' }, 2);
    const third = rig.make(idAt(NOW));
    rig.runs.finished({ id: third, jobId: 'a' }, 2);
    expect(await rig.unlike([second, third])).toEqual([]);
  });

  it('go when history does not know the run, but not within a day', async () => {
    const rig = new Rig();
    const young = rig.make(idAt(NOW - DAY), undefined, NOW - DAY + 1000);
    rig.make(idAt(NOW - 2 * DAY), undefined, NOW - DAY - 1000);
    mkdirSync(join(rig.directory, '.spares'));
    utimesSync(join(rig.directory, '.spares'), 1, 1);
    writeFileSync(join(rig.directory, 'notes'), '');
    await rig.sweep({});
    expect(await rig.unlike([young, '.spares', 'notes'])).toEqual([]);
  });

  it('that are links lead nowhere else: what they point at stays', async () => {
    const rig = new Rig();
    const elsewhere = join(temporaryDirectory(), 'precious');
    writeFileSync(elsewhere, '');
    const id = idAt(NOW);
    symlinkSync(join(elsewhere, '..'), join(rig.directory, id));
    rig.runs.forget([id]);
    expect(await rig.unlike([])).toEqual([]);
    expect(existsSync(elsewhere)).toBe(true);
  });

  it('are swept a slice at a time, and not at all when history cannot be asked', async () => {
    const rig = new Rig();
    const all = rig.series('a', 1200);
    let turns = 0;
    const turn = (): void => {
      turns += 1;
      if (rig.asked.length < 3) setImmediate(turn);
    };
    setImmediate(turn);
    await rig.sweep({ a: 3 });
    expect(rig.asked).toEqual([500, 500, 200]);
    expect(turns).toBeGreaterThan(2);
    expect(await rig.unlike(all.slice(-3))).toEqual([]);

    const owners = (): Promise<never> => Promise.reject(new Error('the disk fails'));
    await rig.runs.sweep({ owners, keepOf: () => 0 });
    expect(await rig.unlike(all.slice(-3))).toEqual([]);
  });
});
