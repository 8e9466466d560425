import type { FieldRule } from './cron-fields.ts';
import { DAY, WEEKDAY } from './cron-fields.ts';
import type { Problem } from './problem.ts';

/** One field of an expression, read by the front door. */
export interface FieldReading {
  readonly rule: FieldRule;
  readonly text: string;
  /** Offset of the field in the expression. */
  readonly at: number;
  /** A bare `*` or `?`. */
  readonly wildcard: boolean;
  /** Values, ascending, weekdays 0-6; undefined when the field uses L, # or H. */
  readonly values: readonly number[] | undefined;
}

/** Told of what is wrong (`error`) or odd (`warning`) with the item now read. */
export interface Findings {
  readonly errors: Problem[];
  readonly warnings: Problem[];
}

interface Item {
  readonly rule: FieldRule;
  readonly text: string;
  /** The whole field has no other item. */
  readonly alone: boolean;
  refuse(message: string, hint?: string): undefined;
  warn(message: string, hint?: string): void;
}

const PLAIN = /^(?:(?<any>[*?])|(?<from>\d+|[A-Z]+)(?:-(?<to>\d+|[A-Z]+))?)(?:\/(?<step>\d+))?$/;
const HASHED = /^H(?:\((?<from>\d+)-(?<to>\d+)\))?(?:\/(?<step>\d+))?$/;
const LAST_WEEKDAY = /^(\d+|[A-Z]+?)L$/;
const NTH_WEEKDAY = /^(\d+|[A-Z]+)#(\d+)$/;

/** Reads one field. Undefined after an error, which is then in `findings`. */
export function readField(
  rule: FieldRule,
  source: { text: string; at: number },
  findings: Findings,
): FieldReading | undefined {
  const { text, at } = source;
  const values = everydayValues(rule, text);
  return values === undefined
    ? readItems(rule, source, findings)
    : { rule, text, at, wildcard: text === '*', values };
}

/** Values by field and text, of the forms below only: at most some two thousand for each field. */
const everyday = new Map<string, readonly number[]>();

/** The values of `*`, a number or a range, which nearly all fields are; undefined for what needs a closer look. */
function everydayValues(rule: FieldRule, text: string): readonly number[] | undefined {
  const key = `${rule.name} ${text}`;
  const known = everyday.get(key);
  if (known !== undefined) return known;
  const last = rule === WEEKDAY ? 6 : rule.max;
  const dash = text.indexOf('-');
  const from = text === '*' ? rule.min : oneOrTwoDigits(dash === -1 ? text : text.slice(0, dash));
  const to = text === '*' ? last : dash === -1 ? from : oneOrTwoDigits(text.slice(dash + 1));
  // Not a number compares as false.
  if (!(from >= rule.min && from <= to && to <= last)) return undefined;
  const values: number[] = [];
  for (let value = from; value <= to; value += 1) values.push(value);
  everyday.set(key, values);
  return values;
}

/** NaN for any other text. Without a pattern: setting up one costs more than reading twenty files' worth of fields. */
function oneOrTwoDigits(text: string): number {
  const [first, second] = [text.charCodeAt(0) - ZERO, text.charCodeAt(1) - ZERO];
  if (!(first >= 0 && first <= 9) || text.length > 2) return Number.NaN;
  if (text.length === 1) return first;
  return second >= 0 && second <= 9 ? first * 10 + second : Number.NaN;
}

const ZERO = 48;

function readItems(
  rule: FieldRule,
  source: { text: string; at: number },
  findings: Findings,
): FieldReading | undefined {
  const text = source.text.toUpperCase();
  const items = text.split(',');
  const values = new Set<number>();
  let extended = false;
  let failed = false;
  let at = source.at;
  for (const itemText of items) {
    const where = { at, length: Math.max(1, itemText.length) };
    const item: Item = {
      rule,
      text: itemText,
      alone: items.length === 1,
      refuse: (message, hint) =>
        void findings.errors.push({ message, ...where, ...(hint !== undefined && { hint }) }),
      warn: (message, hint) =>
        void findings.warnings.push({ message, ...where, ...(hint !== undefined && { hint }) }),
    };
    const read = readItem(item);
    if (read === undefined) failed = true;
    else if (read === 'extended') extended = true;
    else addValues(values, read, item);
    at += itemText.length + 1;
  }
  if (failed) return undefined;
  const wildcard = text === '*' || text === '?';
  return {
    rule,
    text,
    at: source.at,
    wildcard,
    values: extended ? undefined : [...values].sort((a, b) => a - b),
  };
}

function addValues(values: Set<number>, read: readonly number[], item: Item): void {
  const repeated = read.find((value) => values.has(value));
  if (repeated !== undefined) item.warn(`the ${item.rule.name} field names ${repeated} twice`);
  for (const value of read) values.add(value);
}

/** The item's values, or `extended` for a well-formed L, # or H. */
function readItem(item: Item): readonly number[] | 'extended' | undefined {
  const { rule, text } = item;
  const plain = PLAIN.exec(text)?.groups;
  if (plain?.['any'] !== undefined) return readWildcard(item, plain['any'], plain['step']);
  if (text.startsWith('H') && HASHED.test(text)) return readHashed(item);
  if (rule === DAY && text === 'L') return 'extended';
  if (rule === WEEKDAY && NTH_WEEKDAY.test(text)) return readNth(item);
  const last = rule === WEEKDAY ? LAST_WEEKDAY.exec(text)?.[1] : undefined;
  if (last !== undefined) return readValue(item, last) === undefined ? undefined : 'extended';
  if (plain?.['from'] === undefined || isSign(plain['from'])) return refuseForm(item);
  return readRange(item, plain['from'], { to: plain['to'], step: plain['step'] });
}

function readWildcard(item: Item, any: string, step: string | undefined): readonly number[] | undefined {
  const { rule } = item;
  if (any === '?' && ((rule !== DAY && rule !== WEEKDAY) || !item.alone || step !== undefined)) {
    return item.refuse(`the ${rule.name} field cannot use "?" in "${item.text}"`, 'write "*"');
  }
  return everyNth(item, { from: rule.min, to: rule.max }, step);
}

function readRange(
  item: Item,
  fromText: string,
  rest: { to: string | undefined; step: string | undefined },
): readonly number[] | undefined {
  const from = readValue(item, fromText);
  const to = rest.to === undefined ? undefined : readValue(item, rest.to);
  if (from === undefined || (rest.to !== undefined && to === undefined)) return undefined;
  if (to !== undefined && from > to) return refuseBackwards(item, from, to);
  if (to === undefined)
    return rest.step === undefined
      ? [inField(item.rule, from)]
      : everyNth(item, { from, to: item.rule.max }, rest.step);
  return everyNth(item, { from, to }, rest.step);
}

function everyNth(
  item: Item,
  range: { from: number; to: number },
  stepText: string | undefined,
): readonly number[] | undefined {
  const step = readStep(item, stepText);
  if (step === undefined) return undefined;
  const values = new Set<number>();
  for (let value = range.from; value <= range.to; value += step) values.add(inField(item.rule, value));
  if (stepText !== undefined && values.size === 1) {
    const only = [...values][0];
    item.warn(`the step of "${item.text}" reaches only ${item.rule.name} ${only}`, `write ${only}`);
  }
  return [...values];
}

function readStep(item: Item, text: string | undefined): number | undefined {
  if (text === undefined) return 1;
  const { name, width } = item.rule;
  const step = Number(text);
  if (step === 0) return item.refuse(`the ${name} field has a step of 0`, `write a step from 1 to ${width}`);
  if (step > width) {
    return item.refuse(
      `the ${name} field has a step wider than its field: ${step}, but there are only ${width} values`,
      wideStepHint(item, step),
    );
  }
  return step;
}

function wideStepHint(item: Item, step: number): string {
  const unit = { second: 's', minute: 'm', hour: 'h', 'day of month': 'd' }[item.rule.name];
  const fields = `write a step from 1 to ${item.rule.width}`;
  return unit === undefined ? fields : `${fields}, or \`every: ${step}${unit}\` in place of cron`;
}

function readHashed(item: Item): 'extended' | undefined {
  const { rule } = item;
  const { from, to, step } = HASHED.exec(item.text)?.groups ?? {};
  if (from !== undefined && to !== undefined) {
    const low = readValue(item, from);
    const high = readValue(item, to);
    if (low === undefined || high === undefined) return undefined;
    if (low > high)
      return item.refuse(
        `the ${rule.name} field has a range that runs backwards: ${from}-${to}`,
        `write H(${to}-${from})`,
      );
  } else if (rule === DAY && step === undefined) {
    item.warn(
      'H in the day of month field may pick 29, 30 or 31, which not every month has',
      'write H(1-28)',
    );
  }
  return readStep(item, step) === undefined ? undefined : 'extended';
}

function readNth(item: Item): 'extended' | undefined {
  const [, day = '', nth = ''] = NTH_WEEKDAY.exec(item.text) ?? [];
  if (!item.alone) {
    return item.refuse(
      `the day of week field cannot list "${item.text}" with others`,
      'write several expressions: cron: [ "…", "…" ]',
    );
  }
  if (readValue(item, day) === undefined) return undefined;
  if (Number(nth) < 1 || Number(nth) > 5) {
    return item.refuse(
      `the day of week field has "#${nth}", but a month has at most five of each weekday`,
      'write #1 to #5, or e.g. FRIL for the last Friday',
    );
  }
  return 'extended';
}

/** A number or a name as a value of the field; 7 stays 7 until the range is known. */
function readValue(item: Item, text: string): number | undefined {
  const { rule } = item;
  if (/^\d+$/.test(text)) {
    const value = Number(text);
    if (value >= rule.min && value <= rule.max) return value;
    return item.refuse(`the ${rule.name} field takes ${rule.min}-${rule.max}, got ${text}`);
  }
  const index = rule.names.indexOf(text);
  if (index !== -1) return rule.min + index;
  if (rule.names.length === 0)
    return item.refuse(
      `the ${rule.name} field takes numbers, got "${text}"`,
      `write ${rule.min}-${rule.max}`,
    );
  const short = rule.names.find(
    (name) => text.startsWith(name) || (text.length > 1 && name.startsWith(text)),
  );
  return item.refuse(
    `the ${rule.name} field does not know "${text}"`,
    short === undefined ? `write one of ${rule.names.join(' ')}` : `write ${short}`,
  );
}

function inField(rule: FieldRule, value: number): number {
  return rule === WEEKDAY ? value % 7 : value;
}

function refuseBackwards(item: Item, from: number, to: number): undefined {
  const { rule } = item;
  const label = (value: number): string => rule.names[value - rule.min] ?? String(value);
  const part = (low: number, high: number): string =>
    low === high ? label(low) : `${label(low)}-${label(high)}`;
  const top = rule === WEEKDAY ? 6 : rule.max;
  item.refuse(
    `the ${rule.name} field has a range that runs backwards: ${item.text}`,
    `write ${part(from, top)},${part(rule.min, to)}`,
  );
}

/** A lone letter, or two, that is a sign of its own elsewhere and no name of a day or month. */
function isSign(text: string): boolean {
  return /^(?:L|W|LW|WL|H)$/.test(text);
}

/** Forms other schedulers know, and plain mistakes. */
function refuseForm(item: Item): undefined {
  const { text, rule } = item;
  const field = `the ${rule.name} field`;
  if (text === '') return item.refuse(`${field} has an empty item between commas`);
  if (text.includes('~'))
    return item.refuse(
      `${field} uses "~" (random), which tsched does not have`,
      'write H (a fixed value drawn from the job id), or use `jitter:`',
    );
  if (/^(?:\d*W|LW|WL)/.test(text))
    return item.refuse(
      `${field} uses W (nearest weekday), which tsched does not have`,
      'write the days themselves, e.g. 15 or 13-15',
    );
  if (/^L-\d+/.test(text))
    return item.refuse(
      `${field} counts back from the last day, which tsched does not do`,
      'write L for the last day, or the days themselves, e.g. 25-28',
    );
  if (text === 'L' && rule === WEEKDAY)
    return item.refuse(`${field} has L without a day`, 'write FRIL for the last Friday');
  if (text.includes('L'))
    return item.refuse(
      `${field} cannot use L in "${text}"`,
      'L stands alone in the day of month field, and after a day in the day of week field, e.g. FRIL',
    );
  if (text.includes('#'))
    return item.refuse(
      `${field} cannot use # in "${text}"`,
      'in the day of week field, MON#2 is the second Monday',
    );
  if (text.includes('H'))
    return item.refuse(`${field} cannot read "${text}"`, 'write H, H/15, H(0-29) or H(0-29)/10');
  if (/\/(?!\d)/.test(text))
    return item.refuse(`${field} has a step that is no number in "${text}"`, 'write a step such as */5');
  const foreign = /[^A-Z0-9*,/?#()-]/.exec(text)?.[0];
  if (foreign !== undefined) return item.refuse(`${field} cannot hold "${foreign}"`);
  return item.refuse(
    `${field} cannot read "${text}"`,
    `write numbers ${rule.min}-${rule.max}, ranges 1-5, lists 1,3 or steps */2`,
  );
}
