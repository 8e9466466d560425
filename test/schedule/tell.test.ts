import { describe, expect, it } from 'vitest';
import type { Told } from '../../src/message.ts';
import type { NotifyPolicy, Outcome, SkipReason } from '../../src/model.ts';
import { tell, untold, type Happening } from '../../src/schedule/tell.ts';

const ALL: NotifyPolicy = {
  failure: ['f'],
  recovery: ['r'],
  success: ['s'],
  late: ['l'],
  missed: ['m'],
  after: 1,
};
const OPS: NotifyPolicy = { ...ALL, success: [], missed: [] };

const OK: Outcome = { kind: 'succeeded', exitCode: 0 };
const BAD: Outcome = { kind: 'failed', exitCode: 1 };

/** A run that lasts one, and ends at the moment it is named by. */
function ended(outcome: Outcome): (at: number) => Happening {
  return (at) => ({ kind: 'finished', outcome, slot: at - 1, begun: at - 1 });
}
const ok = ended(OK);
const bad = ended(BAD);
const cancelled = ended({ kind: 'cancelled', by: 'operator' });
const late = (): Happening => ({ kind: 'late', what: 'every' });
const skip = (reason: SkipReason) => (): Happening => ({ kind: 'skipped', reason });

/** Lets things happen at 10, 20 …; gives each decision's reason and who was told. */
function story(notify: NotifyPolicy, ...happenings: readonly ((at: number) => Happening)[]): string[] {
  let told: Told = untold(0);
  return happenings.map((happening, index) => {
    const at = (index + 1) * 10;
    const decision = tell({ notify, told }, happening(at), at);
    told = decision.told;
    return [
      decision.reason,
      ...decision.words.flatMap(({ notice, to }) => to.map((name) => `${notice}>${name}`)),
    ].join(' ');
  });
}

describe('who is told', () => {
  it('of a job that fails again and again: once, and once when it is well', () => {
    expect(story(OPS, ok, bad, bad, bad, ok, ok, bad)).toEqual([
      'nothing_changed',
      'first_failure failure>f',
      'told_already',
      'told_already',
      'recovered recovery>r',
      'nothing_changed',
      'first_failure failure>f',
    ]);
  });

  it('after so many failures in a row, and of no recovery before that', () => {
    expect(story({ ...OPS, after: 3 }, bad, bad, ok, bad, bad, bad, bad, ok)).toEqual([
      'too_few',
      'too_few',
      'nothing_changed',
      'too_few',
      'too_few',
      'first_failure failure>f',
      'told_already',
      'recovered recovery>r',
    ]);
  });

  it('of each success where that is wanted', () => {
    expect(story(ALL, ok, ok, bad, ok)).toEqual([
      'succeeded success>s',
      'succeeded success>s',
      'first_failure failure>f',
      'recovered recovery>r success>s',
    ]);
  });

  it('of what was meant: nobody', () => {
    expect(
      story(ALL, cancelled, skip('paused'), skip('removed'), skip('shutdown'), skip('claimed_elsewhere')),
    ).toEqual(['meant', 'meant', 'meant', 'meant', 'meant']);
    expect(story(OPS, bad, cancelled, bad, ok)).toEqual([
      'first_failure failure>f',
      'meant',
      'told_already',
      'recovered recovery>r',
    ]);
  });

  it('of lateness once, until a success ends it', () => {
    expect(story(OPS, late, late, bad, late, ok, late)).toEqual([
      'fell_late late>l',
      'told_already',
      'first_failure failure>f',
      'told_already',
      'recovered recovery>r',
      'fell_late late>l',
    ]);
  });

  it('of missed slots once, until a run has gone by without any', () => {
    // The second run began at 39, after the skips; the third skip falls into a run that began before it.
    const long = (at: number): Happening => ({
      kind: 'finished',
      outcome: OK,
      slot: at - 15,
      begun: at - 15,
    });
    expect(
      story(ALL, skip('misfire'), skip('overlap'), skip('limit'), ok, skip('overlap'), long, skip('overlap')),
    ).toEqual([
      'slots_missed missed>m',
      'told_already',
      'told_already',
      'succeeded success>s',
      'slots_missed missed>m',
      'succeeded success>s',
      'told_already',
    ]);
  });

  it('nobody, where nobody asked; the next word still comes at the right time', () => {
    const nobody = { ...ALL, failure: [], success: [], recovery: [], missed: [] };
    expect(story(nobody, bad, ok, skip('misfire'), late)).toEqual([
      'nobody_asked',
      'nobody_asked',
      'nobody_asked',
      'fell_late late>l',
    ]);
  });

  it('remembers failures, their beginning, and the newest success', () => {
    let told = untold(5);
    for (const at of [10, 20]) ({ told } = tell({ notify: OPS, told }, bad(at), at));
    expect(told).toEqual({ since: 5, failures: 2, failingSince: 10, failureTold: true });
    ({ told } = tell({ notify: OPS, told }, ok(30), 30));
    // A slot that was caught up later is not the newest.
    ({ told } = tell({ notify: OPS, told }, { kind: 'finished', outcome: OK, slot: 3, begun: 38 }, 40));
    expect(told).toEqual({ since: 5, failures: 0, succeededAt: 40, succeededSlot: 29 });
  });
});
