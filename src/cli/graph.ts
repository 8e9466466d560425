import type { JobDefinition } from '../model.ts';
import { printable, printableJson } from '../observe/text.ts';
import { rfc3339 } from '../observe/when.ts';
import { asDot, asMermaid, asTree, graphOf, type Graph } from '../schedule/graph.ts';
import { jobOf } from './job-file.ts';
import { loadMeant } from './meant-file.ts';
import type { Session } from './session.ts';
import { scheduleAsWritten } from './words.ts';

export interface GraphOptions {
  readonly file?: string;
  readonly stateDir?: string;
  readonly format: 'text' | 'dot' | 'mermaid';
  readonly json?: boolean;
}

/** Which jobs of the file follow and need which others: all of them, or those that hang together with one. */
export async function graph(id: string | undefined, options: GraphOptions, session: Session): Promise<void> {
  const file = await loadMeant(options, session);
  if (id !== undefined) jobOf(id, file);
  const found = graphOf(file.jobs, id);
  if (options.json === true) session.out(`${printableJson(found)}\n`);
  else if (options.format === 'dot') session.out(asDot(found));
  else if (options.format === 'mermaid') session.out(asMermaid(found));
  else session.out(asText(found, file.jobs, session));
}

function asText(found: Graph, jobs: readonly JobDefinition[], session: Session): string {
  if (found.links.length === 0)
    return 'No job follows or needs another: see after: and needs: of the job file.\n';
  const paint = session.painter('out');
  const known = new Map(jobs.map((job) => [job.id, job]));
  const lines = asTree(found).map(({ indent, id, note }) => {
    const job = known.get(id);
    // Of those that follow others the drawing itself says when they run.
    const hasClock = job !== undefined && job.schedule.triggers.every(({ kind }) => kind !== 'after');
    const clock = hasClock ? scheduleAsWritten(job.schedule, rfc3339) : '';
    const notes = [note, clock, ...(job?.enabled === false ? ['disabled'] : [])].filter(
      (each) => each !== '',
    );
    const said = notes.length === 0 ? '' : `  ${paint('dim', printable(notes.join('; ')))}`;
    return `${paint('dim', indent)}${paint('bold', printable(id))}${said}\n`;
  });
  return lines.join('');
}
