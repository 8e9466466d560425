/** What can be asked. @throws DatabaseAway, DatabaseUnfit, StatementRefused */
export interface Queryable {
  /**
   * `bigint` comes back as a number, `jsonb` as what it holds, `timestamptz` as Date. Objects among the values go in as JSON, `json(…)` makes any value such;
   * arrays are SQL arrays. Of several statements in one text it gives the rows of all.
   */
  query<Row extends object>(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  /** How many rows it affected. */
  run(sql: string, values?: readonly unknown[]): Promise<number>;
}
