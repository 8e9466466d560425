import { jobFileJsonSchema } from '../config/schema.ts';
import type { Session } from './session.ts';

/** The JSON Schema of the job file, for editors. */
export function schema(session: Session): void {
  session.out(`${JSON.stringify(jobFileJsonSchema(), undefined, 2)}\n`);
}
