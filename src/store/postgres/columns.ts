/** What is in the documents of a run `r`. */

/** How it ended; NULL of one that has not. */
export const OUTCOME = "r.outcome ->> 'kind'";

/** Of a run in parts about: its parts begin with it, or wait. */
export const STARTED =
  "coalesce((r.attempts #>> '{0,startedAt}')::bigint, CASE WHEN r.shards IS NOT NULL THEN r.claimed_at END)";
