/** A diamond whose daemons die between every two of its links: the right runs, once each. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RunRecord } from '../../src/model.ts';
import { Audit, executionsIn, linesOf } from '../support/audit.ts';
import { bundle, Household, shellTask } from '../support/chaos.ts';
import { directory, until } from '../support/daemon.ts';

/**
 * Where daemons die, one at the first time of coming there, the next at the second, and so on: at an end, before or after it is recorded
 * with what follows from it.
 */
const STEPS = ['ended', 'save finished', 'join', 'claim', 'joined', 'claimed', 'saved finished'];
const TIMES = 4;
const MOST_LIVES = 40;

function diamond(account: string, due: number): Record<string, object> {
  const at = new Date(due).toISOString();
  const run = shellTask(account, ':');
  const failing = shellTask(account, ':', '3');
  return {
    a: { at, run },
    b: { after: 'a', run },
    c: { after: 'a', run: failing },
    all: { after: ['b', 'c'], run },
    any: { after: { jobs: ['b', 'c'], when: 'any' }, run },
    failed: { after: { jobs: ['b', 'c'], on: 'failure', when: 'any' }, run },
    bothFailed: { after: { jobs: ['b', 'c'], on: 'failure' }, run },
    end: { after: { jobs: ['all', 'any', 'failed'], on: 'finish' }, run },
  };
}

function isEnd({ jobId, state }: RunRecord): boolean {
  return jobId === 'end' && state === 'finished';
}

/** A household that has come to know its jobs before the first is due: from then on no slot is lost. */
async function household(directory: string, program: string): Promise<Household> {
  for (let ahead = 2000; ; ahead *= 2) {
    let due = 0;
    const home = new Household(`${directory}-${ahead}`, program, (account, begin) =>
      diamond(account, (due = begin + ahead)),
    );
    await home.live({ step: 'placed' });
    const [, from] =
      linesOf(join(home.directory, 'places'))
        .map((line) => line.split(' '))
        .find(([job]) => job === 'a') ?? [];
    if (Number(from) < due) return home;
  }
}

describe('a diamond with a failing branch, its daemons killed', () => {
  it('between every two links, has the right runs, once each', { timeout: 600_000 }, async () => {
    const where = directory();
    const program = await bundle(join(where, 'program'));
    for (const step of STEPS) {
      const home = await household(join(where, step.replaceAll(' ', '-')), program);
      const isOver = (): boolean => home.rows().runs.some(isEnd);
      const over = until('the chain to end', isOver, { patience: 300_000 }).then(() => home.over());
      let ended = 'SIGKILL';
      let lives = 0;
      for (; ended === 'SIGKILL' && lives < MOST_LIVES; lives += 1) {
        const life = home.live({ step, nth: 1 + (lives % TIMES) });
        over.then(() => home.stop()).catch(() => null);
        ended = await life;
      }
      // Asked to stop before it listens for that, it has nothing left to do either.
      expect(['0', 'SIGTERM'], `${step}, killed at ${home.kills.join(', ')}: ${home.words}`).toContain(ended);
      await over;
      expect(lives, step).toBeGreaterThan(2);
      const { runs, skips } = home.rows();
      const told = `${step}, killed at ${home.kills.join(', ')}`;
      expect(runs.map(({ jobId, outcome }) => `${jobId} ${outcome?.kind}`).toSorted(), told).toEqual([
        'a succeeded',
        'any succeeded',
        'b succeeded',
        'c failed',
        'end succeeded',
        'failed succeeded',
      ]);
      expect(skips.map(({ jobId, reason }) => `${jobId} ${reason}`).toSorted(), told).toEqual([
        'all dependency',
        'bothFailed dependency',
      ]);
      expect(new Set([...runs, ...skips].map(({ scheduledAt }) => scheduledAt)).size, told).toBe(1);
      const audit = new Audit(runs, skips, executionsIn(join(home.directory, 'account')));
      audit.runs(new Map());
      expect(audit.findings, told).toEqual([]);
    }
  });
});
