import { printable, printableJson } from '../observe/text.ts';
import type { Problem } from '../schedule/cron.ts';
import { exit, Failure } from './exit.ts';
import { explanationOf } from './explanation.ts';
import type { Session } from './session.ts';
import { fromNow, localDateTime, rfc3339 } from '../observe/when.ts';

export interface ExplainOptions {
  readonly tz?: string;
  readonly json?: boolean;
  readonly count: number;
  /** The job id that H is drawn from. */
  readonly id?: string;
}

/** A cron expression in words, its traps and its next times. */
export function explain(expression: string, options: ExplainOptions, session: Session): void {
  const { tz: timezone = session.hostTimezone, count, id = 'example' } = options;
  const answer = explanationOf({ expression, timezone, count, id }, session.now);
  if ('errors' in answer) throw refused(expression, answer.errors, session);
  const { words, warnings, times } = answer;
  if (options.json === true) {
    const shown = times.map(({ at, local, note }) => ({ at: rfc3339(at), local, note: note ?? null }));
    session.out(`${printableJson({ expression, words, timezone, warnings, times: shown })}\n`);
    return;
  }
  const paint = session.painter('out');
  const notes = warnings.map((trap) => `  ${paint('yellow', '!')} ${printable(trap)}\n`).join('');
  const lines = times.map(
    ({ at, note }) =>
      `  ${localDateTime(at, timezone)}   ${paint('dim', fromNow(at, session.now))}${note === undefined ? '' : `   ${paint('yellow', note)}`}\n`,
  );
  session.out(
    `${paint('bold', printable(words))}\n${notes}Next, in ${timezone}:\n${lines.join('') || '  never\n'}`,
  );
}

/** The expression with a caret under each thing that is wrong. */
function refused(expression: string, errors: readonly Problem[], session: Session): Failure {
  const paint = session.painter('err');
  for (const { message, hint, at = 0, length = expression.length } of errors) {
    const before = printable(expression.slice(0, at)).length;
    const caret = `${' '.repeat(before)}${'^'.repeat(Math.max(1, printable(expression.slice(at, at + length)).length))}`;
    session.err(
      `${paint('red', 'error')}: ${printable(message)}\n  ${printable(expression)}\n  ${paint('red', caret)}`,
    );
    session.err(`${hint === undefined ? '' : ` ${printable(hint)}`}\n`);
  }
  return new Failure(exit.usage, `"${printable(expression)}" is not a cron expression`);
}
