import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/model.ts';
import { argumentsOf, checkPatiently, paramsSchema } from '../../src/schedule/params.ts';
import { Files, lines } from './support.ts';

const JOB = `jobs:
  j:
    cron: "@daily"
    run: x
    params:
      day: { type: string, pattern: '^\\d{4}-\\d{2}-\\d{2}$', description: Which day }
      size: { enum: [small, large], default: small }
      limit: { type: integer, minimum: 1, maximum: 10, default: 3 }
      share: { type: number, maximum: 1 }
      force: boolean
`;

/** What is found in a job with this parameter. */
async function said(param: string, more = ''): Promise<string[]> {
  using files = new Files();
  return lines(await files.load(`jobs:\n  j: { every: 1h, run: x, params: { p: ${param} }${more} }\n`));
}

describe('parameters', () => {
  it('become what runs may be given, with types and defaults', async () => {
    using files = new Files();
    expect((await files.job(JOB)).params).toEqual({
      day: {
        type: 'string',
        required: false,
        pattern: String.raw`^\d{4}-\d{2}-\d{2}$`,
        description: 'Which day',
      },
      size: { type: 'string', required: false, enum: ['small', 'large'], default: 'small' },
      limit: { type: 'integer', required: false, minimum: 1, maximum: 10, default: 3 },
      share: { type: 'number', required: false, maximum: 1 },
      force: { type: 'boolean', required: false },
    });
  });

  it.each([
    ['{ type: text }', 'jobs.j.params.p.type: expected one of string, integer, number, boolean, got "text"'],
    ['{ pattern: "(" }', 'jobs.j.params.p.pattern: Invalid regular expression: /(/u: Unterminated group'],
    ['{ minimum: 1 }', 'jobs.j.params: "p" is no number, so it has neither minimum nor maximum'],
    ['{ type: integer, pattern: a }', 'jobs.j.params: "p" is no text, so it has no pattern'],
    [
      '{ type: integer, minimum: 3, maximum: 2 }',
      'jobs.j.params: the minimum of "p" is greater than its maximum',
    ],
    [
      '{ type: integer, default: 1.5 }',
      'jobs.j.params: the default does not fit: "p" takes a whole number, not 1.5',
    ],
    [
      '{ enum: [a, b], default: c }',
      'jobs.j.params: the default does not fit: "p" takes one of "a", "b", not "c" | did you mean a?',
    ],
    ['{ enum: [a, 1] }', 'jobs.j.params: a value of enum does not fit: "p" takes text, not 1'],
    ['{ enum: {} }', 'jobs.j.params: the enum of "p" is no list of values | write e.g. enum: [small, large]'],
    ['string, P: string', 'jobs.j.params: "p" and "P" are both TSCHED_PARAM_P | rename one'],
    [
      '{ required: true }',
      'jobs.j.params: "p" is required, and scheduled runs are given nothing | give it a default:, or write enabled: false where only people run the job',
    ],
  ])('%s', async (param, expected) => {
    const [first = '', ...more] = await said(param);
    expect(more).toEqual([]);
    expect(first.replace(/^\d+:\d+ error /, '')).toBe(expected);
  });

  it('may be required where people alone run the job', async () => {
    expect(await said('{ required: true }', ', enabled: false')).toEqual([]);
  });
});

describe('what a run is given', () => {
  it.each<[given: { readonly [name: string]: Json }, problems: readonly string[]]>([
    [{}, []],
    [{ day: '2027-01-31', size: 'large', limit: 10, share: 0.5, force: true }, []],
    [{ day: 20 }, ['day: "day" takes text, not 20']],
    [{ day: '31.1.2027' }, [String.raw`day: "day" takes what matches ^\d{4}-\d{2}-\d{2}$, not "31.1.2027"`]],
    [{ size: 'smal' }, ['size: "size" takes one of "small", "large", not "smal" | did you mean small?']],
    [
      { limit: 11, share: 2 },
      ['limit: "limit" takes 1 to 10, not 11', 'share: "share" takes at most 1, not 2'],
    ],
    [{ limit: 2.5 }, ['limit: "limit" takes a whole number, not 2.5']],
    [{ force: 'yes' }, ['force: "force" takes true or false, not "yes"']],
    [{ dday: 'x' }, ['dday: there is no parameter "dday" | did you mean "day"?']],
    [
      { constructor: 1 },
      ['constructor: there is no parameter "constructor" | the job takes day, size, limit, share, force'],
    ],
  ])('%j', async (given, problems) => {
    using files = new Files();
    const { params = {} } = await files.job(JOB);
    const found = checkPatiently(params, given).map(
      ({ name, message, hint }) => `${name}: ${message}${hint === undefined ? '' : ` | ${hint}`}`,
    );
    expect(found).toEqual(problems);
    // The schema that others are told says the same.
    const accepts = new Ajv({ strict: false, unicodeRegExp: true }).compile(paramsSchema(params));
    expect(accepts(given)).toBe(problems.length === 0);
  });

  it('is missing where it is required, and wins over defaults', () => {
    const params = {
      a: { type: 'string', required: true },
      b: { type: 'integer', required: false, default: 0 },
    } as const;
    expect(checkPatiently(params, undefined)).toEqual([
      { name: 'a', message: '"a" is missing', hint: 'it takes text' },
    ]);
    expect(argumentsOf(params, { a: 'x' })).toEqual({ a: 'x', b: 0 });
    expect(argumentsOf(params, undefined)).toEqual({ b: 0 });
    expect(argumentsOf(undefined, undefined)).toBeUndefined();
    expect(paramsSchema(params)).toMatchObject({ required: ['a'] });
  });
});
