import type { Database } from '../../postgres/database.ts';

/** Questions to the history that are on their way at once. The other connections are left to those who claim slots. */
const MOST = 2;

/** Asks the database, a few questions at a time; whoever comes then waits for its turn. */
export class Asking {
  readonly #database: Pick<Database, 'query'>;
  #free = MOST;
  readonly #waiting: (() => void)[] = [];

  constructor(database: Pick<Database, 'query'>) {
    this.#database = database;
  }

  /** @param sql with a `?` for each value */
  async all<Row extends object>(sql: string, ...values: readonly unknown[]): Promise<readonly Row[]> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free -= 1;
    try {
      return await this.#database.query<Row>(numbered(sql), values);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

/** `?` as PostgreSQL has it: `$1`, `$2` … */
function numbered(sql: string): string {
  let number = 0;
  return sql.replaceAll('?', () => `$${(number += 1)}`);
}
