import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideFile, type FileFacts } from '../../src/cluster/file-rule.ts';

const good = (hash: string) => ({ hash, isGood: true });
const bad = (hash: string) => ({ hash, isGood: false });
const base: FileFacts = {
  newest: 'v',
  copy: good('mine'),
  seen: undefined,
  conducts: false,
  asked: false,
};

describe('the rule of the job file', () => {
  it.each<[string, Partial<FileFacts>, string]>([
    ['the conductor brings the first version', { newest: undefined, conducts: true }, 'publish first'],
    ['others wait for it', { newest: undefined }, 'wait not_conducting'],
    ['even when a person asks', { newest: undefined, asked: true }, 'wait not_conducting'],
    [
      'a conductor without a copy has none to bring',
      { newest: undefined, conducts: true, copy: undefined },
      'wait no_copy',
    ],
    ['nor one whose copy is bad', { newest: undefined, conducts: true, copy: bad('mine') }, 'wait broken'],
    ['without a copy a node follows', { copy: undefined }, 'follow no_copy'],
    ['also when asked', { copy: undefined, asked: true }, 'follow no_copy'],
    ['with the same copy too', { copy: good('v'), seen: 'old', asked: true }, 'follow same'],
    ['the same is the same, whether or not it is good here', { copy: bad('v') }, 'follow same'],
    ['a node that comes with another file follows', {}, 'follow differs'],
    ['and the conductor does as well', { conducts: true }, 'follow differs'],
    ['a copy that lies there as it was changes nothing', { seen: 'mine' }, 'follow differs'],
    ['one that was edited is the next version', { seen: 'old' }, 'publish edited'],
    ['one that a person wants is, too', { asked: true }, 'publish asked'],
    ['but not with errors', { seen: 'old', copy: bad('mine') }, 'follow broken'],
    ['not even when asked', { asked: true, copy: bad('mine') }, 'follow broken'],
    ['errors in what nobody touched are nobody’s affair', { copy: bad('mine') }, 'follow differs'],
  ])('%s', (_, facts, expected) => {
    const { kind, reason } = decideFile({ ...base, ...facts });
    expect(`${kind} ${reason}`).toBe(expected);
  });

  it('comes to rest: what was settled once is not published again', () => {
    const hash = fc.constantFrom('a', 'b', 'c');
    const maybe = fc.option(hash, { nil: undefined });
    fc.assert(
      fc.property(
        maybe,
        fc.option(fc.record({ hash, isGood: fc.boolean() }), { nil: undefined }),
        maybe,
        fc.boolean(),
        fc.boolean(),
        (newest, copy, seen, conducts, asked) => {
          const first = decideFile({ newest, copy, seen, conducts, asked });
          const isPublished = first.kind === 'publish';
          const after = {
            newest: isPublished ? copy?.hash : newest,
            copy,
            seen: copy?.hash ?? seen,
            conducts,
            asked: false,
          };
          if (first.reason === 'broken' || first.kind === 'wait') return;
          expect(decideFile(after).kind).toBe('follow');
          // Whatever others publish meanwhile.
          expect(decideFile({ ...after, newest: 'other' }).kind).toBe('follow');
          expect(isPublished && copy?.isGood === false).toBe(false);
        },
      ),
    );
  });
});
