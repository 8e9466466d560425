/** What part of time the timeline shows. It is in the address: where it begins, unless it follows the clock, and how long it is. */
import { computed, effect, signal } from '@preact/signals';
import { filter, place } from './route.ts';
import { now } from './state.ts';

const SECOND = 1000;
const MINUTE = 60_000;
const USUAL = 8 * 60 * MINUTE;
const LEAST = 5 * MINUTE;
const MOST = 31 * 24 * 60 * MINUTE;
/** Of a window that follows the clock, the part that lies ahead. */
const AHEAD = 0.25;

/** `since` undefined: it follows the clock. Milliseconds. */
interface Shown {
  readonly since: number | undefined;
  readonly span: number;
}

export const shown = signal<Shown>({ since: undefined, span: USUAL });
export const since = computed(() => shown.value.since ?? now.value - shown.value.span * (1 - AHEAD));
export const until = computed(() => since.value + shown.value.span);

/** Whole seconds, as the address has them. */
function show(begin: number | undefined, span: number): void {
  shown.value = {
    since: begin === undefined ? undefined : Math.round(begin / SECOND) * SECOND,
    span: Math.min(Math.max(Math.round(span / SECOND) * SECOND, LEAST), MOST),
  };
}

/** About a moment, by default the clock, or the middle. */
export function zoom(factor: number, about?: number): void {
  const { since: fixed, span } = shown.value;
  const next = Math.min(Math.max(span * factor, LEAST), MOST);
  const center = about ?? (fixed === undefined ? undefined : fixed + span / 2);
  const begin = center === undefined ? undefined : center - ((center - since.value) * next) / span;
  show(begin, next);
}

/** By a part of what is shown. */
export function pan(part: number): void {
  const { span } = shown.value;
  show(since.value + span * part, span);
}

export function goTo(at: number, span: number): void {
  show(at - Math.max(span, LEAST) / 2, span);
}

export function followClock(): void {
  show(undefined, shown.value.span);
}

/** Keeps the address and the window alike, whichever changes. Browsers bear only few changes of it a second. */
export function keepAddress(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let written = '';
  const read = effect(() => {
    const { query } = place.value;
    if (written === `${query.get('since')} ${query.get('minutes')}`) return;
    written = `${query.get('since')} ${query.get('minutes')}`;
    const minutes = Number(query.get('minutes'));
    const from = Date.parse(query.get('since') ?? '');
    show(Number.isNaN(from) ? undefined : from, minutes > 0 ? minutes * MINUTE : USUAL);
  });
  const write = ({ since: fixed, span }: Shown): void => {
    const at = fixed === undefined ? '' : new Date(fixed).toISOString().replace(/\.\d+/, '');
    const minutes = span === USUAL ? '' : `${Math.round((span / MINUTE) * 1000) / 1000}`;
    written = `${at || null} ${minutes || null}`;
    filter({ since: at, minutes });
  };
  const stop = effect(() => {
    clearTimeout(timer);
    timer = setTimeout(write, 300, shown.value);
  });
  return () => {
    read();
    stop();
    clearTimeout(timer);
  };
}
