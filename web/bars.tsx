import type { ComponentChildren } from 'preact';
import type { Hour } from './model.ts';
import { duration, minuteOf } from './words.ts';

const HEIGHT = 110;
/** Of an hour, in the units of the picture. */
const STEP = 40;

/** From the baseline up. Failures stand on top, and are never thinner than can be seen. */
const PARTS = [
  ['good', 'succeeded', ({ succeeded }: Hour) => succeeded],
  ['active', 'running', ({ active }: Hour) => active],
  ['quiet', 'skipped or cancelled', ({ skipped, cancelled }: Hour) => skipped + cancelled],
  ['bad', 'failed', ({ failed }: Hour) => failed],
] as const;

/** Runs by the hour, a bar each. */
export function Bars({ hours }: { hours: readonly Hour[] }) {
  const sums = hours.map((hour) => PARTS.reduce((sum, [, , countOf]) => sum + countOf(hour), 0));
  const most = Math.max(...sums, 1);
  const totals = PARTS.map(([, , countOf]) => hours.reduce((sum, hour) => sum + countOf(hour), 0));
  const told = PARTS.map(([, words], part) => `${totals[part]} ${words}`);
  return (
    <ByHour
      hours={hours}
      label={told.join(', ')}
      titleOf={(hour) => PARTS.map(([, words, countOf]) => `${countOf(hour)} ${words}`).join(', ')}
      caption={PARTS.map(([tone, words], part) => (
        <span key={tone} class={`legend ${tone}`}>
          {totals[part]} {words}
        </span>
      ))}
    >
      {hours.map((hour, index) => {
        let top = HEIGHT;
        return PARTS.filter(([, , countOf]) => countOf(hour) > 0).map(([tone, , countOf]) => {
          const height = Math.max((countOf(hour) / most) * (HEIGHT - 8), 3);
          top -= height;
          return (
            <rect
              key={`${index} ${tone}`}
              class={tone}
              x={index * STEP + 5}
              y={top}
              width={STEP - 10}
              height={height}
            />
          );
        });
      })}
    </ByHour>
  );
}

/** Where a scale of lengths of time is labelled. Milliseconds. */
const LEVELS = [1, 10, 100, 1000, 10_000, 60_000, 600_000, 3_600_000, 86_400_000];

/** How late runs started, by the hour: half of them, and all but a hundredth, were quicker. */
export function Delays({ hours }: { hours: readonly Hour[] }) {
  const known = hours.flatMap(({ delayMs }) => delayMs ?? []);
  if (known.length === 0) return <p class="faint">Nothing started on schedule.</p>;
  const most = Math.max(...known.map(({ p99 }) => p99), 100);
  const scale = (ms: number): number =>
    HEIGHT - 4 - (Math.log10(Math.max(ms, 1)) / Math.log10(most)) * (HEIGHT - 14);
  const line = (which: 'p50' | 'p99'): string =>
    hours
      .map(({ delayMs }, index) =>
        delayMs === null
          ? ''
          : `${hours[index - 1]?.delayMs ? 'L' : 'M'}${(index + 0.5) * STEP} ${scale(delayMs[which])}h.1`,
      )
      .join('');
  const levels = LEVELS.filter((level) => level <= most).slice(-4);
  const newest = known.at(-1) ?? { p50: 0, p99: 0 };
  const now = `p50 ${duration(newest.p50)}, p99 ${duration(newest.p99)}`;
  return (
    <ByHour
      hours={hours}
      label={`In the last hour with starts: ${now}`}
      titleOf={({ delayMs }) =>
        delayMs === null
          ? 'nothing started'
          : `half within ${duration(delayMs.p50)}, 99 of 100 within ${duration(delayMs.p99)}`
      }
      caption={
        <>
          <span class="legend p50">half</span>{' '}
          <span class="legend p99">99 of 100 start within this time</span>
        </>
      }
      levels={levels.map((level) => [scale(level) / HEIGHT, duration(level)])}
    >
      {levels.map((level) => (
        <path key={level} class="level" d={`M0 ${scale(level)}H${hours.length * STEP}`} />
      ))}
      <path class="p99" d={line('p99')} />
      <path class="p50" d={line('p50')} />
    </ByHour>
  );
}

interface Frame {
  readonly hours: readonly Hour[];
  readonly label: string;
  readonly titleOf: (hour: Hour) => string;
  readonly caption: ComponentChildren;
  /** Labels of the scale, and how far down they stand: 0 … 1. */
  readonly levels?: readonly (readonly [number, string])[];
  readonly children: ComponentChildren;
}

function ByHour({ hours, label, titleOf, caption, levels, children }: Frame) {
  const at = (index: number): number => Date.parse(hours[index]?.at ?? '');
  return (
    <figure class="bars">
      <svg
        viewBox={`0 0 ${hours.length * STEP} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Last 24 hours: ${label}`}
      >
        {hours.map((hour, index) => (
          <g key={hour.at}>
            <title>{`${minuteOf(at(index))}: ${titleOf(hour)}`}</title>
            <rect class="ground" x={index * STEP} width={STEP} height={HEIGHT} />
            <rect class="base" x={index * STEP + 5} y={HEIGHT - 1} width={STEP - 10} height={1} />
          </g>
        ))}
        {children}
      </svg>
      {levels?.map(([down, text]) => (
        <i key={text} style={{ top: `${down * HEIGHT}px` }}>
          {text}
        </i>
      ))}
      <div class="hours" aria-hidden="true">
        {[0, 6, 12, 18, hours.length - 1].map((index) => (
          <span key={index}>{index === hours.length - 1 ? 'now' : minuteOf(at(index))}</span>
        ))}
      </div>
      <figcaption>{caption}</figcaption>
    </figure>
  );
}
