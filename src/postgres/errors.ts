/** What can go wrong with a database, in the three kinds that callers act on. */

/** The database cannot be reached, or the connection was lost on the way: what was asked may or may not have been done. */
export class DatabaseAway extends Error {
  override readonly name: string = 'DatabaseAway';
}

/**
 * The database cannot be used as it is: somebody has to change something, `hint` says what. For a daemon that had it before, which is to outlast
 * a password that is changed or a database that is restored, it is away like any other.
 */
export class DatabaseUnfit extends DatabaseAway {
  override readonly name = 'DatabaseUnfit';
  readonly hint: string;
  /** What kind of thing has to change: who may log in, what is installed here, or the database. */
  readonly why: 'login' | 'packages' | 'database';

  constructor(message: string, hint: string, why: DatabaseUnfit['why'] = 'database') {
    super(message);
    this.hint = hint;
    this.why = why;
  }
}

/** The database refuses this one statement, or the values in it: asked again, it would refuse them again. Nothing was done. */
export class StatementRefused extends Error {
  override readonly name = 'StatementRefused';
  /** SQLSTATE. */
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** Classes of SQLSTATE that are about the statement: not supported, values, constraints, names, limits. All others are about the server. */
const OF_STATEMENT: ReadonlySet<string> = new Set(['0A', '21', '22', '23', '42', '54']);

const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'no way to that host',
  ENETUNREACH: 'no way to that network',
  ENOTFOUND: 'no such host name',
  EAI_AGAIN: 'the host name could not be looked up',
  ENOENT: 'there is no such socket',
};

/** Poolers do not give a session the settings it asks for, or give it that of somebody else. */
export const NO_POOLER = 'connect to the server itself, and not through a pooler';

interface Where {
  /** As people may see it. */
  readonly url: string;
  readonly user: string;
  readonly name: string;
}

/** Says which of the three it is. Where nothing answered, the message says so with the system's reason. */
export function explain(error: unknown, where: Where): DatabaseAway | DatabaseUnfit | StatementRefused {
  if (error instanceof DatabaseAway || error instanceof DatabaseUnfit || error instanceof StatementRefused)
    return error;
  const { code = '', message } = error as Error & { code?: string };
  const unfit = unfitness(code, message, where);
  if (unfit !== undefined) return unfit;
  if (/^[0-9A-Z]{5}$/.test(code)) {
    if (OF_STATEMENT.has(code.slice(0, 2))) return new StatementRefused(message, code);
    return new DatabaseAway(`PostgreSQL at ${where.url}: ${message}`);
  }
  const cause = CAUSES[code] ?? (message === '' ? code : message);
  return new DatabaseAway(`PostgreSQL at ${where.url} cannot be reached: ${cause}`);
}

function unfitness(code: string, message: string, { url, user, name }: Where): DatabaseUnfit | undefined {
  const because = `PostgreSQL at ${url}: ${message}`;
  if (code === '28P01' || /SASL|SCRAM|password must be a string/.test(message)) {
    return new DatabaseUnfit(
      because,
      `check the user and the password in the URL; without a password there, PGPASSWORD or ~/.pgpass has it`,
      'login',
    );
  }
  if (code === '28000')
    return new DatabaseUnfit(
      because,
      `allow ${user} to log in from here in the server's pg_hba.conf`,
      'login',
    );
  if (/unsupported startup parameter/.test(message)) return new DatabaseUnfit(because, NO_POOLER);
  if (code === '3D000')
    return new DatabaseUnfit(because, `create it: CREATE DATABASE "${name}" OWNER "${user}"`);
  if (code === '42501')
    return new DatabaseUnfit(
      because,
      `give the user what it lacks: GRANT CREATE ON DATABASE "${name}" TO "${user}", or let it own the schema`,
    );
  if (/does not support SSL/.test(message))
    return new DatabaseUnfit(because, 'switch TLS on there, or write sslmode=disable in the URL');
  if (/certificate|self-signed|Hostname\/IP does not match|unable to get .*issuer/i.test(message))
    return new DatabaseUnfit(
      because,
      "name the authority that signed the server's certificate with sslrootcert=FILE, and the server as the certificate does",
    );
  return undefined;
}
