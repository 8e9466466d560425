import type { FileProblem } from '../engine/ports-operator.ts';
import type { Wording } from '../operator/wording.ts';
import type { Problem } from '../schedule/cron.ts';
import { canonicalZone, checkZone } from '../schedule/zone.ts';
import { explanationOf } from './explanation.ts';
import { localIso, rfc3339 } from '../observe/when.ts';
import { answerWhy } from './why-slot.ts';
import { scheduleAsWritten, scheduleInWords } from './words.ts';

/** The words of the commands, for a daemon to answer with. */
export function wording(hostTimezone: string): Wording {
  return {
    asWritten: (schedule) => scheduleAsWritten(schedule, rfc3339),
    inWords: (schedule, jobId) =>
      scheduleInWords(schedule, jobId, (at) => localIso(at, schedule.timezone).replace('T', ' ')),
    local: localIso,
    why: answerWhy,
    explain({ expression, timezone = hostTimezone, count, id = 'example' }, now) {
      const unknown = checkZone(timezone);
      const question = { expression, timezone: canonicalZone(timezone) ?? timezone, count, id };
      const answer = unknown === undefined ? explanationOf(question, now) : { errors: [unknown] };
      if (!('errors' in answer)) return { ok: true, value: answer };
      const problems = answer.errors.map((problem) => inFile(problem, expression));
      const [first] = answer.errors;
      const message = first?.message ?? `"${expression}" is not a cron expression`;
      return { ok: false, refusal: { refused: 'bad_expression', message, hint: first?.hint, problems } };
    },
  };
}

function inFile({ message, hint, at = 0, length }: Problem, expression: string): FileProblem {
  return {
    severity: 'error',
    file: '',
    line: 1,
    column: at + 1,
    length: length ?? expression.length,
    path: '',
    message,
    ...(hint === undefined ? {} : { hint }),
  };
}
