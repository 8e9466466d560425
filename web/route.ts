/** Where the page is: `#/jobs?q=backup`. Every view, with its filters, is an address. */
import { signal } from '@preact/signals';

export interface Place {
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

export const place = signal<Place>(read());

addEventListener('hashchange', () => {
  place.value = read();
});

function read(): Place {
  const [path = '', search = ''] = location.hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  const segments = path.split('/').filter(Boolean).map(decoded);
  return { path: segments, query: new URLSearchParams(search) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // typed by hand, with a % that means nothing
  }
}

export function href(...path: readonly string[]): string {
  return `#/${path.map(encodeURIComponent).join('/')}`;
}

export function go(to: string): void {
  location.hash = to;
}

/** Sets or removes (empty) filters of this view, without a new entry in the browser's history. */
export function filter(changes: Readonly<Record<string, string>>): void {
  const { path, query } = place.value;
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === '') next.delete(name);
    else next.set(name, value);
  }
  const search = next.size === 0 ? '' : `?${next.toString()}`;
  history.replaceState(null, '', `${href(...path)}${search}`);
  place.value = read();
}
