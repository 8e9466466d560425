/** What an HTTP request is, as data. Imports nothing. */

/** A request that the daemon makes itself. Whatever tells of it tells `shownUrl` and names of headers, nothing else of it. */
export interface HttpTask {
  readonly kind: 'http';
  /** In capitals. */
  readonly method: string;
  /** Absolute; http: or https:. */
  readonly url: string;
  /** The address as the job file has it: variables by their names, passwords left out. */
  readonly shownUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Statuses that count as success: stretches, both ends included. */
  readonly expectedStatus: readonly (readonly [from: number, to: number])[];
  /** A regular expression that is found in the body of a success. */
  readonly bodyMatches?: string;
  readonly followRedirects: boolean;
  /** Absolute path of the PEM file of the authorities that are trusted instead of Node's own. */
  readonly ca?: string;
  /** What nobody may see, wherever it turns up. */
  readonly secrets: readonly string[];
}
