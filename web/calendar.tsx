import { useSignal, type Signal } from '@preact/signals';
import type { JobDay } from './model.ts';
import { filter, place } from './route.ts';
import { thisHour } from './state.ts';

const DAY = 86_400_000;
const WEEKS = 53;
/** To another day, by key. */
const STEPS: Readonly<Record<string, number>> = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -7, ArrowRight: 7 };

const words = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  timeZone: 'UTC',
});
const month = new Intl.DateTimeFormat(undefined, { month: 'short', timeZone: 'UTC' });

interface Known {
  readonly timezone: string;
  readonly days: readonly JobDay[];
}

/** The last year, a day a square, in the job's zone: shapes tell how it went, shades how much there was. */
export function Calendar({ known: { timezone, days } }: { known: Known }) {
  const told = useSignal<number | undefined>(undefined);
  const byDay = new Map(days.map((day) => [day.day, day]));
  // Swedes write days as machines do. By the hour, so that nothing is drawn anew each second.
  const today = Date.parse(new Intl.DateTimeFormat('sv', { timeZone: timezone }).format(thisHour.value));
  const count = (WEEKS - 1) * 7 + ((new Date(today).getUTCDay() + 6) % 7) + 1;
  const all = Array.from({ length: count }, (_, index) => today - (count - 1 - index) * DAY);
  return (
    <figure class="calendar">
      <div class="months" aria-hidden="true">
        {all.map((at, index) =>
          index % 7 === 0 && new Date(at).getUTCDate() <= 7 ? (
            <span key={at} style={{ gridColumn: index / 7 + 1 }}>
              {month.format(at)}
            </span>
          ) : undefined,
        )}
      </div>
      <Days {...{ all, byDay, told }} />
      <figcaption>
        {told.value === undefined ? (
          <>
            <span class="legend good">all succeeded, the darker the more</span>
            <span class="legend bad">some failed</span>
            <span class="legend quiet">only skipped or cancelled</span>
          </>
        ) : (
          wordsOf(told.value, byDay.get(keyOf(told.value)))
        )}
      </figcaption>
    </figure>
  );
}

interface Shown {
  readonly all: readonly number[];
  readonly byDay: ReadonlyMap<string, JobDay>;
  /** Of which day is told in words. */
  readonly told: Signal<number | undefined>;
}

function Days({ all, byDay, told }: Shown) {
  const chosen = place.value.query.get('day');
  const reached = useSignal(all.length - 1);
  const most = Math.max(...[...byDay.values()].map(ran), 1);
  const step = (event: KeyboardEvent): void => {
    const to = reached.value + (STEPS[event.key] ?? 0);
    if (to === reached.value || all[to] === undefined) return;
    event.preventDefault();
    ((event.currentTarget as HTMLElement).children[to] as HTMLElement).focus();
  };
  return (
    <div
      class="days"
      role="toolbar"
      tabIndex={-1}
      aria-label="Days of the last year: arrow keys move, Enter shows the runs of a day"
      onKeyDown={step}
      onMouseLeave={() => (told.value = undefined)}
    >
      {all.map((at, index) => {
        const key = keyOf(at);
        const day = byDay.get(key);
        return (
          <button
            key={key}
            type="button"
            class={classOf(day, most)}
            aria-label={wordsOf(at, day)}
            aria-pressed={key === chosen}
            tabIndex={index === reached.value ? 0 : -1}
            onMouseEnter={() => (told.value = at)}
            onFocus={() => {
              told.value = at;
              reached.value = index;
            }}
            onClick={() => filter({ day: key === chosen ? '' : key })}
          />
        );
      })}
    </div>
  );
}

function keyOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

function ran({ succeeded, failed, cancelled, active }: JobDay): number {
  return succeeded + failed + cancelled + active;
}

function classOf(day: JobDay | undefined, most: number): string {
  if (day === undefined) return '';
  if (day.failed > 0) return 'bad';
  if (day.succeeded > 0) return `good l${Math.ceil((3 * ran(day)) / most)}`;
  return day.active > 0 ? 'active' : 'quiet';
}

function wordsOf(at: number, day: JobDay | undefined): string {
  const told = (['succeeded', 'failed', 'cancelled', 'active', 'skipped'] as const)
    .filter((name) => day !== undefined && day[name] !== 0)
    .map((name) => `${day?.[name] ?? 'some'} ${name === 'active' ? 'running' : name}`);
  return `${words.format(at)}: ${told.join(', ') || 'nothing'}`;
}
