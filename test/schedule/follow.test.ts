import { describe, expect, it } from 'vitest';
import type { AfterTrigger } from '../../src/chain.ts';

import { follow, type Standing } from '../../src/schedule/follow.ts';

const STANDINGS: readonly Standing[] = [
  'succeeded',
  'failed',
  'timed_out',
  'cancelled',
  'skipped',
  'absent',
  'pending',
];

function decide(on: AfterTrigger['on'], when: AfterTrigger['when'], standings: readonly Standing[]): string {
  const jobs = standings.map((_, index) => String(index));
  return follow({ kind: 'after', jobs, on, when }, (id) => standings[Number(id)] ?? 'absent').kind;
}

describe('what becomes of a slot that follows one job', () => {
  it.each([
    ['success', 'start skip skip skip skip skip wait'],
    ['failure', 'skip start start skip skip skip wait'],
    ['finish', 'start start start start skip skip wait'],
  ] as const)('on: %s', (on, verdicts) => {
    expect(STANDINGS.map((standing) => decide(on, 'all', [standing])).join(' ')).toBe(verdicts);
    expect(STANDINGS.map((standing) => decide(on, 'any', [standing])).join(' ')).toBe(verdicts);
  });
});

describe('what becomes of a slot that follows two jobs', () => {
  const table = (on: AfterTrigger['on'], when: AfterTrigger['when']): string[] =>
    (['succeeded', 'failed', 'skipped', 'pending'] as const).map((one) =>
      (['succeeded', 'failed', 'skipped', 'pending'] as const)
        .map((two) => decide(on, when, [one, two]))
        .join(' '),
    );

  it.each([
    [
      'success',
      'all',
      ['start skip skip wait', 'skip skip skip skip', 'skip skip skip skip', 'wait skip skip wait'],
    ],
    [
      'success',
      'any',
      ['start start start start', 'start skip skip wait', 'start skip skip wait', 'start wait wait wait'],
    ],
    [
      'failure',
      'all',
      ['skip skip skip skip', 'skip start skip wait', 'skip skip skip skip', 'skip wait skip wait'],
    ],
    [
      'failure',
      'any',
      ['skip start skip wait', 'start start start start', 'skip start skip wait', 'wait start wait wait'],
    ],
    [
      'finish',
      'all',
      ['start start start wait', 'start start start wait', 'start start skip wait', 'wait wait wait wait'],
    ],
    [
      'finish',
      'any',
      [
        'start start start start',
        'start start start start',
        'start start skip wait',
        'start start wait wait',
      ],
    ],
  ] as const)('on: %s, when: %s', (on, when, verdicts) => {
    expect(table(on, when)).toEqual(verdicts);
  });

  it('names whom it waits for, and who spoiled it', () => {
    const trigger: AfterTrigger = { kind: 'after', jobs: ['a', 'b', 'c'], on: 'success', when: 'all' };
    const standings: Record<string, Standing> = { a: 'succeeded', b: 'pending', c: 'pending' };
    expect(follow(trigger, (id) => standings[id] ?? 'absent')).toEqual({ kind: 'wait', for: ['b', 'c'] });
    expect(follow(trigger, (id) => (id === 'b' ? 'failed' : 'pending'))).toEqual({
      kind: 'skip',
      because: ['b'],
    });
  });
});
