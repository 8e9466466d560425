import { printable, printableJson } from '../observe/text.ts';
import { Client, Refused, type ClientOptions } from './client.ts';
import { exit, Failure } from './exit.ts';
import type { Session } from './session.ts';
import type { ToldJob, ToldRun } from './told.ts';

/** Asks the processes of a run to end, or of all active runs of a job. Gives the exit code. */
export async function cancel(
  name: string,
  options: ClientOptions & { readonly json?: boolean },
  session: Session,
): Promise<number> {
  const client = new Client(options, session);
  const runs: ToldRun[] = [];
  for (const id of await runsNamed(name, client)) {
    const path = `/runs/${encodeURIComponent(id)}/cancel`;
    runs.push(await client.post<ToldRun>(path));
  }
  if (options.json === true) session.out(`${printableJson({ runs })}\n`);
  else {
    for (const run of runs) session.out(`run ${run.id} of ${printable(run.jobId)} was asked to end\n`);
  }
  return exit.ok;
}

/** A job's id comes before the beginning of a run's. */
async function runsNamed(name: string, client: Client): Promise<readonly string[]> {
  const job = await jobNamed(name, client);
  if (job instanceof Refused) {
    // The beginning of a run's id, then, unless it cannot be one: then the job's name was mistyped.
    if (/^[0-9a-f][0-9a-f-]{3,35}$/i.test(name)) return [name];
    throw new Failure(job.code, `no job and no run is called "${printable(name)}"`, job.hint);
  }
  if (job.active.length > 0) return job.active.map(({ id }) => id);
  throw new Failure(exit.no, `no run of ${printable(name)} is active`);
}

async function jobNamed(name: string, client: Client): Promise<ToldJob | Refused> {
  try {
    return await client.get<ToldJob>(`/jobs/${encodeURIComponent(name)}`);
  } catch (error) {
    if (error instanceof Refused && error.reason === 'unknown_job') return error;
    throw error;
  }
}
