import { useEffect, useRef } from 'preact/hooks';
import UPlot from 'uplot';
import { isRun, lengthOf, quantile, type Row } from './model.ts';
import { clock, duration, toneOf } from './words.ts';

const HEIGHT = 180;
/** Where a logarithmic axis is labelled. Seconds. */
const LEVELS = [0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36_000, 86_400, 864_000];

interface Points {
  /** Epoch seconds. */
  readonly x: number[];
  /** Seconds; by outcome. */
  readonly good: (number | null)[];
  readonly bad: (number | null)[];
  readonly p50: number;
  readonly p95: number;
}

/** How long runs took, by outcome, with what half and nearly all of the good ones stay below. */
export function Scatter({ rows, timeout }: { rows: readonly Row[]; timeout: number | null }) {
  const box = useRef<HTMLDivElement>(null);
  const points = pointsOf(rows);
  useEffect(() => {
    const element = box.current;
    if (element === null || points.x.length === 0) return undefined;
    const plot = draw(element, points, timeout);
    const watch = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    watch.observe(element);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    const redraw = (): void => plot.redraw();
    scheme.addEventListener('change', redraw);
    return () => {
      watch.disconnect();
      scheme.removeEventListener('change', redraw);
      plot.destroy();
    };
  }, [rows, timeout]);
  if (points.x.length === 0) return <p class="faint">No run has ended yet.</p>;
  const told =
    points.p50 === 0
      ? 'none succeeded'
      : `p50 ${duration(points.p50 * 1000)}, p95 ${duration(points.p95 * 1000)}`;
  return (
    <figure>
      <div ref={box} class="plot" role="img" aria-label={`Durations of ${points.x.length} runs: ${told}`} />
      <figcaption>
        <span class="legend good">succeeded</span> <span class="legend bad">failed</span>{' '}
        <span class="faint">
          {told}
          {timeout === null ? '' : `, time-out ${duration(timeout)}`}
        </span>
      </figcaption>
    </figure>
  );
}

function pointsOf(rows: readonly Row[]): Points {
  const x: number[] = [];
  const good: (number | null)[] = [];
  const bad: (number | null)[] = [];
  for (const row of [...rows].reverse()) {
    if (!isRun(row) || row.outcome === null || row.startedAt === null) continue;
    // A logarithm has no 0.
    const seconds = Math.max(lengthOf(row, 0) ?? 0, 1) / 1000;
    const isGood = toneOf(row) === 'good';
    x.push(Date.parse(row.startedAt) / 1000);
    good.push(isGood ? seconds : null);
    bad.push(isGood ? null : seconds);
  }
  const sorted = good.filter((value) => value !== null).sort((one, other) => one - other);
  return { x, good, bad, p50: quantile(sorted, 0.5) ?? 0, p95: quantile(sorted, 0.95) ?? 0 };
}

/** As the style sheet has it now: light or dark. */
function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const dots = (name: string): UPlot.Series => ({
  paths: () => null,
  points: { show: true, size: 6, fill: () => color(name), stroke: () => color(name) },
});
const line = (name: string, dash: number[]): UPlot.Series => ({
  stroke: () => color(name),
  width: 1,
  dash,
  points: { show: false },
});

function draw(element: HTMLElement, { x, good, bad, p50, p95 }: Points, timeout: number | null): UPlot {
  const axis = {
    stroke: () => color('--faint'),
    grid: { stroke: () => color('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  const most = (x.at(-1) ?? 0) * 1000;
  const level = (value: number): (number | null)[] => x.map(() => (value > 0 ? value : null));
  const options: UPlot.Options = {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [6, 14, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: true, range: () => padded(x[0] ?? 0, x.at(-1) ?? 0) },
      y: { distr: 3 },
    },
    axes: [
      {
        ...axis,
        space: 90,
        size: 30,
        values: (_, splits) => splits.map((value) => clock(value * 1000, most)),
      },
      {
        ...axis,
        size: 62,
        filter: (_, splits) => splits,
        splits: (plot) => LEVELS.filter(within(plot.scales['y'])),
        values: (_, splits) => splits.map((value) => duration(value * 1000)),
      },
    ],
    series: [
      {},
      dots('--good'),
      dots('--bad'),
      line('--good', []),
      line('--good', [4, 4]),
      ...(timeout === null ? [] : [line('--bad', [2, 4])]),
    ],
  };
  const data: UPlot.AlignedData = [
    x,
    good,
    bad,
    level(p50),
    level(p95),
    ...(timeout === null ? [] : [level(timeout / 1000)]),
  ];
  return new UPlot(options, data, element);
}

function within({ min = 0, max = 0 }: UPlot.Scale = {}): (level: number) => boolean {
  return (level) => level >= min && level <= max;
}

/** One moment alone has no width; uPlot would give it years. */
function padded(least: number, most: number): [number, number] {
  const pad = Math.max((most - least) * 0.03, 5);
  return [least - pad, most + pad];
}
