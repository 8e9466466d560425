/** What is wrong with a piece of a schedule, in words for the person who wrote it. */
export interface Problem {
  /** What was wrong, e.g. `the hour field takes 0-23, got 25`. No full stop. */
  readonly message: string;
  /** What to write instead. */
  readonly hint?: string;
  /** Where in the text it stands: offset in UTF-16 units and length. Absent: the whole text. */
  readonly at?: number;
  readonly length?: number;
}

/** Thrown by `compileSchedule` and `compileTrigger` on a definition that validation refuses, with the same words. */
export class ScheduleProblem extends Error {
  override readonly name = 'ScheduleProblem';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.hint === undefined ? problem.message : `${problem.message}; ${problem.hint}`);
    this.problem = problem;
  }
}

export function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'message' in value;
}
