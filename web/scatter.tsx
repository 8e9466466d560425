import { useSignal, type Signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import UPlot from 'uplot';
import { isRun, lengthOf, quantile, type Row, type Run } from './model.ts';
import { RowWords } from './parts.tsx';
import { go, href } from './route.ts';
import { clock, dayOf, duration, toneOf } from './words.ts';

const HEIGHT = 200;
/** Where a logarithmic axis is labelled. Seconds. */
const LEVELS = [
  0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 10_800, 36_000, 86_400, 259_200,
  864_000,
];
const MOST_LABELS = 7;
/** Above it, an axis of time has days without their times. Seconds. */
const LONG = 3 * 86_400;
/** Outcomes as they are drawn: its colour, its size, and whether it is hollow, for those who do not see colours. */
const GROUPS = [
  ['good', 6, false],
  ['bad', 8, true],
  ['warn', 8, true],
  ['quiet', 6, true],
] as const;

interface Points {
  readonly runs: readonly Run[];
  /** Epoch seconds. */
  readonly x: readonly number[];
  /** Seconds. */
  readonly y: readonly number[];
  /** Index of its group. */
  readonly groups: readonly number[];
  /** Of those that succeeded; 0 when none did. */
  readonly p50: number;
  readonly p95: number;
}

/** How long runs took, by outcome, with what half and nearly all of the good ones stay below. A click opens the run. */
export function Scatter({ rows, timeout }: { rows: readonly Row[]; timeout: number | null }) {
  const box = useRef<HTMLDivElement>(null);
  const hovered = useSignal<Run | undefined>(undefined);
  const points = pointsOf(rows);
  useEffect(() => {
    const element = box.current;
    if (element === null || points.x.length === 0) return undefined;
    const plot = draw(element, points, { timeout, hovered });
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
  if (points.x.length === 0) return <p class="faint">No run has ended.</p>;
  const told =
    points.p50 === 0
      ? 'none succeeded'
      : `p50 ${duration(points.p50 * 1000)}, p95 ${duration(points.p95 * 1000)}`;
  const run = hovered.value;
  return (
    <figure>
      <div ref={box} class="plot" role="img" aria-label={`Durations of ${points.x.length} runs: ${told}`} />
      <figcaption>
        {run === undefined ? (
          <>
            <span class="legend good">succeeded</span>
            <span class="legend bad">failed</span>
            <span class="legend warn">timed out</span>
            <span>
              {told}
              {timeout === null ? '' : `, time-out ${duration(timeout)}`}
            </span>
          </>
        ) : (
          <>
            {clock(Date.parse(run.startedAt ?? run.claimedAt), 0)} <RowWords row={run} />{' '}
            {duration(lengthOf(run, 0) ?? 0)}
          </>
        )}
      </figcaption>
    </figure>
  );
}

function pointsOf(rows: readonly Row[]): Points {
  const runs = rows
    .filter((row): row is Run => isRun(row) && row.outcome !== null && row.startedAt !== null)
    .reverse();
  // A logarithm has no 0.
  const y = runs.map((run) => Math.max(lengthOf(run, 0) ?? 0, 1) / 1000);
  const groups = runs.map((run) =>
    GROUPS.findIndex(([name]) => name === (run.outcome?.kind === 'timed_out' ? 'warn' : toneOf(run))),
  );
  const sorted = y.filter((_, index) => groups[index] === 0).sort((one, other) => one - other);
  return {
    runs,
    x: runs.map((run) => Date.parse(run.startedAt ?? '') / 1000),
    y,
    groups,
    p50: quantile(sorted, 0.5) ?? 0,
    p95: quantile(sorted, 0.95) ?? 0,
  };
}

/** As the style sheet has it now: light or dark. */
function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const line = (name: string, dash: number[]): UPlot.Series => ({
  stroke: () => color(name),
  width: 1,
  dash,
  points: { show: false },
});

interface Shown {
  readonly timeout: number | null;
  readonly hovered: Signal<Run | undefined>;
}

const dots = ([name, size, isHollow]: (typeof GROUPS)[number]): UPlot.Series => ({
  paths: () => null,
  points: {
    show: true,
    size,
    width: isHollow ? 2 : 0,
    fill: () => color(isHollow ? '--paper' : `--${name}`),
    stroke: () => color(`--${name}`),
  },
});

const axis = {
  stroke: () => color('--faint'),
  grid: { stroke: () => color('--line'), width: 1 },
  ticks: { show: false },
  font: '11px system-ui, sans-serif',
};

function draw(element: HTMLElement, points: Points, { timeout, hovered }: Shown): UPlot {
  const { x, y, groups, runs, p50, p95 } = points;
  const most = (x.at(-1) ?? 0) * 1000;
  const isLong = most / 1000 - (x[0] ?? 0) > LONG;
  const level = (value: number): (number | null)[] => x.map(() => (value > 0 ? value : null));
  const levels = [p95, p50, ...(timeout === null ? [] : [timeout / 1000])];
  const options: UPlot.Options = {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [6, 30, 0, 0],
    legend: { show: false },
    cursor: { x: false, y: false, drag: { x: false, click: () => undefined }, points: { show: false } },
    hooks: { setCursor: [(plot) => (hovered.value = runs[nearest(plot, points)])] },
    scales: {
      x: { time: true, range: () => padded(x[0] ?? 0, x.at(-1) ?? 0) },
      y: { distr: 3, range: (_, least, highest) => [least / 1.4, highest * 1.4] },
    },
    axes: [
      {
        ...axis,
        space: 90,
        size: 30,
        values: (_, splits) =>
          splits.map((value) => (isLong ? dayOf(value * 1000) : clock(value * 1000, most))),
      },
      {
        ...axis,
        size: 62,
        filter: (_, splits) => splits,
        splits: (plot) => labels(plot.scales['y']),
        values: (_, splits) => splits.map((value) => duration(value * 1000)),
      },
    ],
    // The first two are the edges of the band.
    bands: [{ series: [1, 2], fill: () => color('--soft') }],
    series: [
      {},
      line('--good', [4, 4]),
      line('--good', []),
      ...(timeout === null ? [] : [line('--bad', [2, 4])]),
      ...GROUPS.map(dots),
    ],
  };
  const data: UPlot.AlignedData = [
    [...x],
    ...levels.map(level),
    ...GROUPS.map((_, group) => y.map((seconds, index) => (groups[index] === group ? seconds : null))),
  ];
  const plot = new UPlot(options, data, element);
  plot.over.addEventListener('click', () => {
    if (hovered.value !== undefined) go(href('runs', hovered.value.id));
  });
  return plot;
}

/** Index of the point at the pointer; -1 where there is none. */
function nearest(plot: UPlot, { x, y }: Points): number {
  const { left = -99, top = -99 } = plot.cursor;
  let found = -1;
  let least = 16;
  for (const [index, at] of x.entries()) {
    const away = Math.hypot(plot.valToPos(at, 'x') - left, plot.valToPos(y[index] ?? 0, 'y') - top);
    if (away > least) continue;
    least = away;
    found = index;
  }
  return found;
}

function labels({ min = 0, max = 0 }: UPlot.Scale = {}): number[] {
  const all = LEVELS.filter((level) => level >= min && level <= max);
  const step = Math.ceil(all.length / MOST_LABELS);
  return all.filter((_, index) => index % step === 0);
}

/** One moment alone has no width; uPlot would give it years. */
function padded(least: number, most: number): [number, number] {
  const pad = Math.max((most - least) * 0.03, 5);
  return [least - pad, most + pad];
}
