import { isRun, type Row } from './model.ts';
import { toneOf } from './words.ts';

const HOUR = 3_600_000;
const HOURS = 24;
const HEIGHT = 110;
/** Of an hour, in the units of the picture. */
const STEP = 40;
const TONES = ['good', 'active', 'quiet', 'bad'] as const;

const hourOf = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

type Counts = Record<(typeof TONES)[number], number>;

/** The last day, an hour a bar. Failures stand on top, and are never thinner than can be seen. */
export function Bars({
  rows,
  thisHour,
  since,
}: {
  rows: readonly Row[];
  thisHour: number;
  since: number | undefined;
}) {
  const hours = count(rows, thisHour);
  const most = Math.max(...hours.map(sumOf), 1);
  const first = thisHour - (HOURS - 1) * HOUR;
  const totals = hours.reduce((sum, hour) => ({
    good: sum.good + hour.good,
    active: sum.active + hour.active,
    quiet: sum.quiet + hour.quiet,
    bad: sum.bad + hour.bad,
  }));
  const label = `${totals.good} succeeded, ${totals.bad} failed, ${totals.quiet} skipped or cancelled, ${totals.active} running`;
  return (
    <figure class="bars">
      <svg
        viewBox={`0 0 ${HOURS * STEP} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Last 24 hours: ${label}`}
      >
        {hours.map((hour, index) => (
          <Bar
            key={index}
            hour={hour}
            most={most}
            index={index}
            title={titleOf(first + index * HOUR, hour)}
          />
        ))}
      </svg>
      <div class="hours" aria-hidden="true">
        {[0, 6, 12, 18, 23].map((index) => (
          <span key={index}>{index === 23 ? 'now' : hourOf.format(first + index * HOUR)}</span>
        ))}
      </div>
      <figcaption>
        <span class="legend good">{totals.good} succeeded</span>
        <span class="legend bad">{totals.bad} failed</span>
        <span class="legend quiet">{totals.quiet} skipped or cancelled</span>
        {since !== undefined && since > first ? (
          <span class="faint">There are more: only those since {hourOf.format(since)} were counted.</span>
        ) : undefined}
      </figcaption>
    </figure>
  );
}

function Bar({ hour, most, index, title }: { hour: Counts; most: number; index: number; title: string }) {
  let top = HEIGHT;
  const parts = TONES.filter((tone) => hour[tone] > 0).map((tone) => {
    const height = Math.max((hour[tone] / most) * (HEIGHT - 8), 3);
    top -= height;
    return <rect key={tone} class={tone} x={index * STEP + 5} y={top} width={STEP - 10} height={height} />;
  });
  return (
    <g>
      <title>{title}</title>
      <rect class="ground" x={index * STEP} y={0} width={STEP} height={HEIGHT} />
      <rect class="base" x={index * STEP + 5} y={HEIGHT - 1} width={STEP - 10} height={1} />
      {parts}
    </g>
  );
}

function titleOf(hour: number, { good, bad, quiet }: Counts): string {
  return `${hourOf.format(hour)}: ${good} succeeded, ${bad} failed, ${quiet} skipped or cancelled`;
}

function count(rows: readonly Row[], thisHour: number): Counts[] {
  const hours = Array.from({ length: HOURS }, (): Counts => ({ good: 0, active: 0, quiet: 0, bad: 0 }));
  for (const row of rows) {
    const hour = hours[HOURS - 1 + Math.floor((Date.parse(row.scheduledAt) - thisHour) / HOUR)];
    if (hour !== undefined) hour[toneOf(row)] += isRun(row) ? 1 : (row.count ?? 1);
  }
  return hours;
}

function sumOf({ good, active, quiet, bad }: Counts): number {
  return good + active + quiet + bad;
}
