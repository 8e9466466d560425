/** What a daemon found wrong in a job file, shown with the lines that it stands in. */
import { formatDiagnostics, type Diagnostic } from '../config/diagnostic.ts';
import { printable } from '../observe/text.ts';
import type { Session } from './session.ts';

/** With the frame that the daemon made of it, in which what is secret is hidden. */
export type ToldProblem = Diagnostic & { readonly frame?: string };

/** Shows them with their frames; where there is none with the hint alone. `named`: how a file of the daemon is called here. */
export function showFramed(
  problems: readonly ToldProblem[],
  named: (file: string) => string,
  session: Session,
): void {
  for (const problem of problems) {
    const { frame, hint, file, ...rest } = withoutNulls(problem);
    const shown = { ...rest, file: named(file) };
    const whole = frame === undefined && hint !== undefined ? { ...shown, hint } : shown;
    session.err(formatDiagnostics([whole], new Map(), { color: session.colorOn('err') }));
    if (frame !== undefined) session.err(`${harmless(frame)}\n`);
  }
}

/** What is not there is null in JSON, and absent here. */
export function withoutNulls(problem: ToldProblem): ToldProblem {
  const given = Object.entries(problem).filter(([, value]) => value !== null);
  return Object.fromEntries(given) as unknown as ToldProblem;
}

/** Lines and tabs are what a frame is made of. */
function harmless(frame: string): string {
  return frame
    .split(/([\n\t])/)
    .map((part, index) => (index % 2 === 0 ? printable(part) : part))
    .join('');
}
