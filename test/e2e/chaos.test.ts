/** Daemons that are killed at every step of what they do, over and over: no slot is lost, and none runs twice. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundle, Fates, Household, PLACES, STEPS } from '../support/chaos.ts';
import { SEED } from '../support/cron-judge.ts';
import { Random } from '../support/cron-oracle.ts';
import { directory } from '../support/daemon.ts';

/** `npm run chaos` asks for more. */
const KILLS = Number(process.env['TSCHED_CHAOS_KILLS'] ?? 200);
const HOUSEHOLDS = 5;

describe('daemons that are killed at every step', () => {
  it(
    `${KILLS} times: every slot is one run or one skip, and no attempt runs twice`,
    { timeout: KILLS * 4000 },
    async () => {
      console.log(`TSCHED_TEST_SEED=${SEED}`);
      const where = directory();
      const program = await bundle(join(where, 'program'));
      const households: Household[] = [];
      const fates = new Fates(new Random(SEED));
      const household = async (number: number, round = 1): Promise<void> => {
        const home = new Household(join(where, `household-${number}-${round}`), program);
        households.push(home);
        while (home.kills.length < KILLS / HOUSEHOLDS) {
          const all = households.flatMap((each) => each.kills);
          const { life, outside } = fates.next(home.kills.length === 0, all);
          const ended = await home.live(life, outside);
          expect(['SIGKILL', '0'], `${JSON.stringify(life)}: ${home.words}`).toContain(ended);
        }
        const findings = await home.audit(await home.settle());
        // Where the disk stood still, this is no more what was promised to it: another takes its place.
        if (findings.length > 0 && home.troubles.length > 0 && round < 3) return household(number, round + 1);
        expect(
          findings,
          `TSCHED_TEST_SEED=${SEED}, household ${number}, killed at ${home.kills.join(', ')}; ${home.troubles.join()}`,
        ).toEqual([]);
      };
      await Promise.all(Array.from({ length: HOUSEHOLDS }, (_, number) => household(number)));
      const kills = households.flatMap((each) => each.kills);
      expect(kills.length).toBeGreaterThanOrEqual(KILLS);
      // The faults: each of them came.
      for (const step of [...STEPS, ...PLACES, 'outside']) expect(kills, step).toContain(step);
    },
  );
});
