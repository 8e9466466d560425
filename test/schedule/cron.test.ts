import { describe, expect, it } from 'vitest';
import { checkCron } from '../../src/schedule/cron.ts';

/** What is refused, the words for it, and the part of the text they point at (nothing: the whole). */
const REFUSED: [expression: string, words: RegExp, hint: RegExp, part?: string][] = [
  ['', /expression is empty/, /5 fields: minute, hour/],
  ['   ', /expression is empty/, /5 fields/],
  ['*/5', /expected 5 fields \(or 6 with seconds first\), got 1/, /"\*\/5 \* \* \* \*"/],
  ['* * *', /got 3/, /minute, hour, day of month, month, day of week/],
  ['0 0 2 * * * * *', /got 8/, /command belongs under `run:`/],
  ['0 0 0 1 1 * 2027', /no year field/, /`start:` and `end:`/, '2027'],
  [
    'CRON_TZ=Asia/Tokyo 0 3 * * *',
    /cannot hold "CRON_TZ=Asia\/Tokyo"/,
    /timezone: Asia\/Tokyo/,
    'CRON_TZ=Asia/Tokyo',
  ],
  [`${'1,'.repeat(600)}1 * * * *`, /1209 characters long/, /^$/],

  ['60 * * * *', /the minute field takes 0-59, got 60/, /^$/, '60'],
  ['0 24 * * *', /the hour field takes 0-23, got 24/, /^$/, '24'],
  ['0 0 0 * *', /the day of month field takes 1-31, got 0/, /^$/, '0'],
  ['0 0 32 * *', /the day of month field takes 1-31, got 32/, /^$/, '32'],
  ['0 0 1 13 *', /the month field takes 1-12, got 13/, /^$/, '13'],
  ['0 0 * * 8', /the day of week field takes 0-7, got 8/, /^$/, '8'],
  ['61 0 0 * * *', /the second field takes 0-59, got 61/, /^$/, '61'],
  ['0 0-25 * * *', /the hour field takes 0-23, got 25/, /^$/, '0-25'],
  ['-5 * * * *', /the minute field cannot read "-5"/, /ranges 1-5/, '-5'],
  ['1.5 * * * *', /the minute field cannot hold "\."/, /^$/, '1.5'],

  ['*/0 * * * *', /the minute field has a step of 0/, /from 1 to 60/, '*/0'],
  ['*/90 * * * *', /the minute field has a step wider than its field: 90/, /every: 90m/, '*/90'],
  ['0 */25 * * *', /the hour field has a step wider than its field/, /every: 25h/, '*/25'],
  ['0 0 1 */13 *', /the month field has a step wider than its field/, /from 1 to 12/, '*/13'],
  ['0 0 * * 1/8', /the day of week field has a step wider than its field/, /from 1 to 7/, '1/8'],
  ['H/61 * * * *', /the minute field has a step wider than its field/, /from 1 to 60/, 'H/61'],
  ['*/x * * * *', /step that is no number/, /\*\/5/, '*/x'],
  ['*//5 * * * *', /step that is no number/, /\*\/5/, '*//5'],
  ['1/2/3 * * * *', /cannot read "1\/2\/3"/, /steps/, '1/2/3'],

  ['0 0 30 2 *', /day of month field asks for day 30, which month 2 never has/, /up to 29/, '30'],
  ['0 0 31 4,6,9,11 *', /day 31, which month 4,6,9,11 never has/, /up to 30/, '31'],
  ['0 0 H(30-31) 2 *', /day H\(30-31\), which month 2 never has/, /up to 29/, 'H(30-31)'],

  ['0 22-2 * * *', /hour field has a range that runs backwards: 22-2/, /22-23,0-2/, '22-2'],
  ['0 0 * * FRI-MON', /day of week field has a range that runs backwards/, /FRI-SAT,SUN-MON/, 'FRI-MON'],
  ['0 0 * NOV-FEB *', /month field has a range that runs backwards/, /NOV-DEC,JAN-FEB/, 'NOV-FEB'],
  ['H(40-20) * * * *', /runs backwards: 40-20/, /H\(20-40\)/, 'H(40-20)'],
  ['0,,30 * * * *', /minute field has an empty item/, /^$/],
  ['0, * * * *', /minute field has an empty item/, /^$/],

  ['0 0 15W * *', /day of month field uses W \(nearest weekday\)/, /the days themselves/, '15W'],
  ['0 0 LW * *', /uses W/, /the days themselves/, 'LW'],
  ['0 0 L-3 * *', /counts back from the last day/, /L for the last day/, 'L-3'],
  ['0 L * * *', /hour field cannot use L/, /day of month field/, 'L'],
  ['0 0 * * L', /day of week field has L without a day/, /FRIL/, 'L'],
  ['0 0 5L * *', /day of month field cannot use L in "5L"/, /FRIL/, '5L'],
  ['~ * * * *', /minute field uses "~"/, /write H/, '~'],
  ['0 0~30 * * *', /hour field uses "~"/, /write H/, '0~30'],
  ['? * * * *', /minute field cannot use "\?"/, /write "\*"/, '?'],
  ['0 0 1,? * *', /day of month field cannot use "\?"/, /write "\*"/, '?'],
  ['0 0 * * MON#6', /"#6", but a month has at most five/, /FRIL/, 'MON#6'],
  ['0 0 * * MON#0', /"#0"/, /#1 to #5/, 'MON#0'],
  ['0 0 * * MON#1,FRI', /cannot list "MON#1" with others/, /several expressions/, 'MON#1'],
  ['0 0 1#2 * *', /day of month field cannot use #/, /MON#2/, '1#2'],
  ['H-30 * * * *', /minute field cannot read "H-30"/, /H\(0-29\)/, 'H-30'],
  ['H(0-70) * * * *', /minute field takes 0-59, got 70/, /^$/, 'H(0-70)'],

  ['0 0 * JANUARY *', /month field does not know "JANUARY"/, /write JAN$/, 'JANUARY'],
  ['0 0 * * Tues', /day of week field does not know "TUES"/, /write TUE$/, 'Tues'],
  ['0 0 * MON *', /month field does not know "MON"/, /one of JAN/, 'MON'],
  ['mon * * * *', /minute field takes numbers, got "MON"/, /0-59/, 'mon'],
  ['*/5 * * * * $', /cannot hold "\$"/, /^$/, '$'],

  ['@reboot', /"@reboot" is not a time/, /startup: boot/],
  ['@every 90m', /"@every" is not a cron expression/, /every: 90m/],
  ['@dayly', /unknown nickname "@dayly"/, /did you mean @daily\?/],
  ['@often', /unknown nickname/, /write one of @yearly/],
];

describe('the front door refuses', () => {
  it.each<[string, RegExp, RegExp, string?]>(REFUSED)('%j', (expression, words, hint, part) => {
    const { errors } = checkCron(expression, 'job');
    expect(errors.map((error) => error.message)).toEqual([expect.stringMatching(words)]);
    const [error] = errors;
    expect(error?.hint ?? '').toMatch(hint);
    const pointed = expression.slice(error?.at, (error?.at ?? 0) + (error?.length ?? 0));
    expect(pointed).toBe(part ?? pointed);
  });

  it('names every bad field at once, in order', () => {
    const { errors } = checkCron('61 25 0 13 9', 'job');
    expect(errors.map((error) => /the (.*) field/.exec(error.message)?.[1])).toEqual([
      'minute',
      'hour',
      'day of month',
      'month',
      'day of week',
    ]);
  });

  it('never throws, whatever the text', () => {
    for (const text of [
      '\0',
      '\u{1F4A9} * * * *',
      'H(1-2)/ * * * *',
      '((((( * * * *',
      '#'.repeat(100),
      'L '.repeat(6),
      '@'.repeat(5),
      `${'9'.repeat(400)} * * * *`,
    ]) {
      expect(checkCron(text, '').errors.length).toBeGreaterThan(0);
    }
  });
});

describe('the front door lets in', () => {
  it.each([
    '* * * * *',
    '*/5 * * * *',
    '  0   3 * *\t* ',
    '0 0 3 * * *',
    '30 9 * * 1-5',
    '0 0 * jan,Jul mon-FRI/2',
    '5/10 * * * *',
    '0 0 L * *',
    '0 0 * * FRIL',
    '0 0 * * 1#2',
    '0 0 ? * SUN',
    'H H(0-5) * * *',
    'H/15 * * * *',
    'H(0-29)/10 * * * *',
    '0 0 * * 0-7',
    '0 0 29-31 * *',
    '@daily',
    '  @Midnight ',
    '@YEARLY',
    '@weekdays',
  ])('%j', (expression) => {
    expect(checkCron(expression, 'job')).toEqual({ errors: [], warnings: [] });
  });
});

describe('the front door warns', () => {
  it.each<[string, RegExp, RegExp]>([
    ['0 0 13 * 5', /either matches/, /write \*/],
    ['0 0 */2 * 1', /either matches/, /write \*/],
    ['0 0 30 2 MON', /either matches/, /write \*/],
    ['0 0 H * *', /may pick 29, 30 or 31/, /H\(1-28\)/],
    ['0 0 29 2 *', /leap years/, /L for the last day/],
    ['0 0 * 2 MON#5', /leap years/, /MON#1 to #4/],
    ['*/60 * * * *', /reaches only minute 0/, /write 0/],
    ['10-20/15 * * * *', /reaches only minute 10/, /write 10/],
    ['0,15,0 * * * *', /names 0 twice/, /^$/],
    ['0 0 * * 0,7', /names 0 twice/, /^$/],
  ])('%j', (expression, words, hint) => {
    const { errors, warnings } = checkCron(expression, 'job');
    expect(errors).toEqual([]);
    expect(warnings.map((warning) => warning.message)).toEqual([expect.stringMatching(words)]);
    expect(warnings[0]?.hint ?? '').toMatch(hint);
  });
});
