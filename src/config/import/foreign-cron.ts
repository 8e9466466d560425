/** Cron expressions of other schedulers in ours, with the same times; or why that is impossible. */
import { readCron } from '../../schedule/cron.ts';
import { DAY, HOUR, MINUTE, MONTH, SECOND, WEEKDAY, type FieldRule } from '../../schedule/cron-fields.ts';
import { formatDuration, parseDuration } from '../../schedule/duration.ts';
import type { Fields } from './imported.ts';

/**
 * Whose rules hold. Where both day fields are set, `vixie` (cron) takes either unless one begins with `*`, `robfig` (Kubernetes) and
 * `cronexpr` (supercronic) take either, and `parse-crontab` (yacron) asks for both, or refuses.
 */
export type Dialect = 'vixie' | 'cronexpr' | 'robfig' | 'parse-crontab';

export interface Translation {
  /** `cron`, `every` or `startup`; and `enabled: false` where the times would not be the same. */
  readonly fields: Fields;
  /** What means something else. */
  readonly changes: readonly string[];
}

/** A text: why there is no such schedule here. */
export type Translated = Translation | string;

export function translateCron(expression: string, dialect: Dialect): Translated {
  const text = expression.trim();
  if (text.startsWith('@')) return translateNickname(text);
  const words = text.split(/\s+/);
  const fields = words.length === 5 ? ['0', ...words] : words;
  if (fields.length !== 6) return `it has ${words.length} fields`;
  const plain = fields.map((field, index) => sameInOurs(field, RULES[index] ?? SECOND));
  const written = (words.length === 5 ? plain.slice(1) : plain).join(' ');
  const own = isGood(written) ? written : expanded(plain, words.length);
  if (own === undefined) return readCron(written, '').errors[0]?.message ?? 'it cannot be read';
  return { fields: { cron: own, ...dayRule(plain, dialect) }, changes: changesOf(words, plain, dialect) };
}

const RULES = [SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY];

function isGood(expression: string): boolean {
  return readCron(expression, '').errors.length === 0;
}

function translateNickname(text: string): Translated {
  const [name = '', ...rest] = text.split(/\s+/);
  if (name.toLowerCase() === '@reboot') {
    const changes = [
      '"@reboot": tsched runs it once for each boot of the machine, so also when it first starts on it',
    ];
    return { fields: { startup: 'boot' }, changes };
  }
  if (name.toLowerCase() !== '@every') return translateOtherNickname(name.toLowerCase());
  const period = goDuration(rest.join(''));
  if (period === undefined || period < 100) return `there is no ${text} in tsched`;
  const changes = [
    '"@every" counted from the start of the daemon; `every` counts from a fixed moment (`anchor` moves it)',
  ];
  return { fields: { every: formatDuration(period) }, changes };
}

/** Those of every cron, and those that FreeBSD's alone knows: crontab(5) there. */
function translateOtherNickname(name: string): Translated {
  const sinceTheEnd = /^@(\d+)$/.exec(name)?.[1];
  if (sinceTheEnd !== undefined && Number(sinceTheEnd) > 0) {
    const text = `"${name}" counted from the end of the run before; \`every\` counts from a fixed moment`;
    return { fields: { every: formatDuration(Number(sinceTheEnd) * 1000) }, changes: [text] };
  }
  const cron = { '@every_minute': '* * * * *', '@every_second': '* * * * * *' }[name] ?? name;
  return isGood(cron) ? { fields: { cron }, changes: [] } : `there is no ${name} in tsched`;
}

/** Go writes 1m0s and 1h0m0s too. */
function goDuration(text: string): number | undefined {
  const duration = parseDuration(text.replaceAll(/(?<=[a-z])0(?:h|m|s)/g, ''));
  return typeof duration === 'number' ? duration : undefined;
}

/** Other spellings of the same: a step of one, a last weekday with the L first, a random value. */
function sameInOurs(field: string, rule: FieldRule): string {
  const random = /^(\d*)~(\d*)(\/\d+)?$/.exec(field);
  if (random !== null) {
    const [, from, to, step = ''] = random;
    return `H(${from || rule.min}-${to || (rule === DAY ? 28 : top(rule))})${step}`;
  }
  const last = rule === WEEKDAY ? /^L([0-7])$/i.exec(field)?.[1] : undefined;
  if (last !== undefined) return `${last}L`;
  return /^[*?]\/1$/.test(field) ? '*' : field;
}

/** Every field that our front door refuses as the list of its values. Undefined where that is impossible. */
function expanded(fields: readonly string[], count: number): string | undefined {
  const lists = fields.map((field, index) => {
    const alone = RULES.map((_, other) => (other === index ? field : '*')).join(' ');
    return isGood(alone) ? field : valuesOf(field, RULES[index] ?? SECOND);
  });
  if (lists.includes(undefined)) return undefined;
  const text = (count === 5 ? lists.slice(1) : lists).join(' ');
  return isGood(text) ? text : undefined;
}

function top(rule: FieldRule): number {
  return rule === WEEKDAY ? 6 : rule.max;
}

/** Steps wider than their field, ranges that end where they cannot, `7` at the end of a week: as a list. */
function valuesOf(field: string, rule: FieldRule): string | undefined {
  const values = new Set<number>();
  for (const item of field.split(',')) {
    const [, from = '', to, step] = /^(\*|\w+)(?:-(\w+))?(?:\/(\d+))?$/.exec(item) ?? [];
    const first = from === '*' ? rule.min : valueOf(from, rule);
    const open = from === '*' || (step !== undefined && to === undefined);
    const last = open ? top(rule) : valueOf(to ?? from, rule);
    if (first === undefined || last === undefined || step === '0') return undefined;
    for (let value = first; value <= last; value += Number(step ?? 1)) values.add(value);
  }
  return values.size === 0 ? undefined : [...values].toSorted((a, b) => a - b).join(',');
}

function valueOf(text: string, rule: FieldRule): number | undefined {
  const named = rule.names.indexOf(text.slice(0, 3).toUpperCase());
  if (named !== -1) return rule.min + named;
  const value = Number(text);
  return /^\d+$/.test(text) && value >= rule.min && value <= rule.max ? value : undefined;
}

/** Whether both day fields had to match there: here either would do, and the job would run too often. */
function needsBoth(fields: readonly string[], dialect: Dialect): boolean {
  const [, , , day = '*', , weekday = '*'] = fields;
  if (/^[*?]$/.test(day) || /^[*?]$/.test(weekday)) return false;
  return (
    dialect === 'parse-crontab' || (dialect === 'vixie' && (day.startsWith('*') || weekday.startsWith('*')))
  );
}

function dayRule(fields: readonly string[], dialect: Dialect): Fields {
  return needsBoth(fields, dialect) ? { enabled: false } : {};
}

function changesOf(words: readonly string[], fields: readonly string[], dialect: Dialect): readonly string[] {
  const both = `"${words.join(' ')}" ran when day of month and day of week both match; here it would when either does, so the job is disabled`;
  const random = '"~" drew another value at each start; H draws one from the job id and keeps it';
  return [
    ...(needsBoth(fields, dialect) ? [both] : []),
    ...(words.some((word) => word.includes('~')) ? [random] : []),
  ];
}
