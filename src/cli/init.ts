import { writeFileSync } from 'node:fs';
import { printable } from '../observe/text.ts';
import { exit, Failure } from './exit.ts';
import type { Session } from './session.ts';

/** What a new job file says. Runs as it is. */
const starter = `# A job file of tsched. Check it: tsched validate    Run it: tsched start
# Editors complete and check it with the schema: tsched schema > jobs.schema.json
# yaml-language-server: $schema=jobs.schema.json

# timezone: Europe/Berlin          # of every job that names none; else the system's

defaults:                          # any key of a job; a job's own key wins
  timeout: 1h

jobs:
  hello:
    description: Says that it is there
    every: 10s                     # elapsed time: 500ms, 30s, 10m, 2h, 1d, 1h30m
    run: echo "hello from $(hostname), attempt $TSCHED_ATTEMPT"

  # nightly-backup:
  #   description: A copy of the database, tried again when it fails
  #   cron: "30 2 * * *"           # minute hour day-of-month month day-of-week
  #   run: pg_dump -Z6 -f /var/backups/mydb-$(date +%F).sql.gz mydb   # no pipe: of that, sh tells only how its last command ended
  #   retry: { limit: 3, delay: 1m, backoff: exponential }
  #   overlap: skip                # while one still runs: skip | queue | replace | allow

  # report:
  #   cron: "0 9 * * 1-5"
  #   timezone: Asia/Shanghai
  #   module: ./tasks/report.ts    # its default export is called with (context)
  #   with: { recipients: [ops@example.com] }
`;

/** Writes a commented job file, never over another. */
export function init(path: string, session: Session): void {
  try {
    writeFileSync(path, starter, { flag: 'wx' });
  } catch (error) {
    throw notMade(path, error as NodeJS.ErrnoException);
  }
  const shown = printable(path);
  const paint = session.painter('out');
  const named = path === 'jobs.yaml' ? '' : ` ${shown}`;
  session.out(
    `${paint('green', '✔')} wrote ${shown}\n  check it  tsched validate${named}\n  run it    tsched start${named}\n`,
  );
}

function notMade(path: string, { code, message }: NodeJS.ErrnoException): Failure {
  const shown = printable(path);
  if (code === 'EEXIST') {
    const hint = 'name another: tsched init other.yaml';
    return new Failure(exit.cannotCreate, `${shown} exists and is left as it is`, hint);
  }
  if (path === '')
    return new Failure(exit.usage, 'the name of the file is empty', 'e.g. tsched init jobs.yaml');
  if (code === 'ENOENT') {
    return new Failure(exit.cannotCreate, `cannot write ${shown}: its directory does not exist`);
  }
  const forbidden = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
  return new Failure(
    forbidden ? exit.notAllowed : exit.cannotCreate,
    `cannot write ${shown}: ${printable(message)}`,
  );
}
