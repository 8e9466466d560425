import { Client } from './client.ts';
import { shownListing, type Listing, type ListOptions } from './list.ts';
import { listingOf } from './live-list.ts';
import { show } from './live-view.ts';
import type { Session } from './session.ts';

/** `tsched list`, anew whenever something happens. */
export async function watchList(options: ListOptions, session: Session): Promise<void> {
  const client = new Client(options, session);
  await show<Listing>(
    {
      ask: () => listingOf(client, session),
      draw: (listing, now) => `${shownListing(listing, options, now)}${options.json === true ? '' : '\n'}`,
    },
    client,
    session,
  );
}
