/**
 * The everyday cron expressions in words, exactly as cronstrue says them (a property test holds them equal). Loading
 * cronstrue takes as long as all the rest of `tsched list`, and most job files need no more than this.
 */

const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const weekdayNames = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

/** Undefined for all but plain five-field expressions without a restriction of day of month or month. */
export function plainWords(expression: string): string | undefined {
  const [minute, hour, day, month, weekday, ...more] = expression.split(' ');
  if (minute === undefined || hour === undefined || weekday === undefined || more.length > 0)
    return undefined;
  if (day !== '*' || month !== '*') return undefined;
  const time = timeOfDay(minute, hour);
  const days = weekday === '*' ? '' : weekdayWords(weekday);
  return time === undefined || days === undefined ? undefined : `${time}${days}`;
}

function timeOfDay(minute: string, hour: string): string | undefined {
  if (/^\d\d?$/.test(minute) && /^\d\d?$/.test(hour))
    return `At ${hour.padStart(2, '0')}:${minute.padStart(2, '0')}`;
  if (hour !== '*') return undefined;
  if (minute === '*') return 'Every minute';
  if (minute === '0') return 'Every hour';
  const step = /^\*\/(\d+)$/.exec(minute)?.[1];
  return step === undefined || Number(step) < 2 ? undefined : `Every ${Number(step)} minutes`;
}

function weekdayWords(field: string): string | undefined {
  const names = field.split('-').map(weekdayName);
  const [first, last] = names;
  if (first === undefined || names.includes(undefined) || names.length > 2) return undefined;
  return last === undefined ? `, only on ${first}` : `, ${first} through ${last}`;
}

function weekdayName(text: string): string | undefined {
  return weekdays[/^[0-7]$/.test(text) ? Number(text) % 7 : weekdayNames.indexOf(text)];
}
