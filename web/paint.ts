/** Draws the timeline, and knows what stands where on it. */
import type { Bar, Lane, Load } from './model.ts';
import { dayOf, minuteOf, toneOfKind } from './words.ts';

/** Of the figure of how much runs at a time, and of the names of hours below it. Pixels. */
const STRIP = 38;
export const HEAD = STRIP + 26;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A bar with its place: when it was due, began and ended (undefined: it runs), and in which of the row's tracks it lies. */
export interface Laid {
  readonly bar: Bar;
  readonly due: number;
  readonly start: number;
  readonly end: number | undefined;
  readonly track: number;
  /** Of those it overlaps, with its own. */
  tracks: number;
}

interface Layout {
  readonly laid: readonly Laid[];
  readonly planned: readonly number[];
}

const layouts = new WeakMap<Lane, Layout>();

/** Runs that overlap lie one below the other. */
export function layoutOf(lane: Lane): Layout {
  const known = layouts.get(lane);
  if (known !== undefined) return known;
  /** Of the runs that overlap, where each track is free again. */
  let ends: number[] = [];
  let group: Laid[] = [];
  const close = (): void => group.forEach((each) => (each.tracks = ends.length));
  const laid = lane.bars.map((bar) => {
    const due = Date.parse(bar.scheduledAt);
    const end = bar.finishedAt === null ? undefined : Date.parse(bar.finishedAt);
    const start = bar.startedAt === null ? (end ?? due) : Date.parse(bar.startedAt);
    const from = Math.min(due, start);
    if (ends.every((other) => other <= from)) {
      close();
      [ends, group] = [[], []];
    }
    const free = ends.findIndex((other) => other <= from);
    const track = free < 0 ? ends.length : free;
    ends[track] = end ?? Number.POSITIVE_INFINITY;
    const each: Laid = { bar, due, start, end, track, tracks: 1 };
    group.push(each);
    return each;
  });
  close();
  const layout = { laid, planned: lane.planned.map((at) => Date.parse(at)) };
  layouts.set(lane, layout);
  return layout;
}

export interface Scene {
  /** All rows, by job. */
  readonly ids: readonly string[];
  readonly lanes: ReadonlyMap<string, Lane>;
  readonly load: (Load & { readonly since: number }) | undefined;
  /** How long runs of a job usually take. */
  readonly expected: (id: string) => number | undefined;
  readonly since: number;
  readonly until: number;
  readonly now: number;
  readonly width: number;
  readonly height: number;
  /** Scrolled by so much. */
  readonly top: number;
  /** Height of a row, and width of the names beside them; 0: they stand above the bars. */
  readonly row: number;
  readonly left: number;
  readonly chosen: Laid | undefined;
}

function xOf({ since, until, width, left }: Scene, at: number): number {
  return left + ((at - since) / (until - since)) * (width - left);
}

/** Where a bar lies. */
export function boxOf(scene: Scene, index: number, { due, start, end, track, tracks }: Laid) {
  const above = scene.left === 0 ? 20 : 4;
  const each = (scene.row - above - 5) / tracks;
  const height = Math.max(Math.min(each - 1, 13), 2);
  const x = xOf(scene, start);
  return {
    x,
    lead: Math.min(xOf(scene, due), x),
    y: HEAD + index * scene.row - scene.top + above + (track + 0.5) * each - height / 2,
    width: Math.max(xOf(scene, end ?? scene.now) - x, 3),
    height,
  };
}

/** The bar or planned time at a point, if there is one near. */
export function spotAt(scene: Scene, x: number, y: number) {
  const index = Math.floor((y - HEAD + scene.top) / scene.row);
  const id = scene.ids[index];
  const lane = id === undefined || y < HEAD ? undefined : scene.lanes.get(id);
  if (id === undefined || lane === undefined) return undefined;
  const layout = layoutOf(lane);
  let near: { laid: Laid; far: number } | undefined;
  for (const laid of layout.laid) {
    const box = boxOf(scene, index, laid);
    const aside = Math.max(box.lead - x, x - box.x - box.width, 0);
    const far = aside + Math.abs(y - box.y - box.height / 2) / 4;
    if (aside < 5 && far < (near?.far ?? 10)) near = { laid, far };
  }
  const planned = layout.planned.find((at) => at > scene.now && Math.abs(xOf(scene, at) - x) < 5);
  return near === undefined && planned === undefined ? undefined : { id, laid: near?.laid, planned };
}

type Colors = (name: string) => string;

export function paint(canvas: HTMLCanvasElement, scene: Scene): void {
  const context = canvas.getContext('2d');
  if (context === null) return;
  const { width, height, top, row, left, ids, lanes } = scene;
  const styles = getComputedStyle(canvas);
  const color: Colors = (name) => styles.getPropertyValue(`--${name}`);
  canvas.width = width * devicePixelRatio;
  canvas.height = height * devicePixelRatio;
  context.scale(devicePixelRatio, devicePixelRatio);
  const now = xOf(scene, scene.now);
  context.fillStyle = color('ground');
  context.fillRect(now, 0, width, height); // what is to come
  paintTimes(context, scene, color);
  const hatch = hatchOf(context, color('faint'));
  context.save();
  context.beginPath();
  context.rect(left, HEAD, width, height);
  context.clip();
  for (let index = Math.floor(top / row); index <= (top + height - HEAD) / row; index += 1) {
    const id = ids[index];
    if (id === undefined) break;
    context.fillStyle = color('line');
    context.fillRect(0, HEAD + (index + 1) * row - top - 1, width, 1);
    const lane = lanes.get(id);
    if (lane !== undefined) paintLane(context, scene, { index, layout: layoutOf(lane), id, color, hatch });
  }
  context.restore();
  paintHead(context, scene, color);
  context.fillStyle = color('accent');
  context.fillRect(now - 1, 0, 2, height);
}

interface Painted {
  readonly index: number;
  readonly layout: Layout;
  readonly id: string;
  readonly color: Colors;
  readonly hatch: CanvasPattern | string;
}

function paintLane(
  context: CanvasRenderingContext2D,
  scene: Scene,
  { index, layout, id, color, hatch }: Painted,
): void {
  const { row, left, width, now } = scene;
  const middle = HEAD + (index + 0.5) * row - scene.top + (left === 0 ? 8 : 0);
  const expected = scene.expected(id) ?? 0;
  for (const at of layout.planned) {
    const x = xOf(scene, at);
    if (at <= now || x > width) continue;
    context.fillStyle = color('quiet');
    context.fillRect(x - 1, middle - 7, 2, 13);
    context.globalAlpha = 0.35;
    context.fillRect(x + 1, middle - 4, xOf(scene, at + expected) - x, 7);
    context.globalAlpha = 1;
  }
  for (const laid of layout.laid) {
    const { x, y, lead, width: long, height } = boxOf(scene, index, laid);
    if (lead > width || x + long < left) continue;
    const tone = toneOfKind(laid.bar.kind);
    context.fillStyle = hatch;
    if (x - lead > 2) context.fillRect(lead, y, x - lead, height);
    context.fillStyle = context.strokeStyle = color(tone === 'active' ? 'accent' : tone);
    context.lineWidth = 1.5;
    // Told apart by shape too: failures stand out, what was cancelled or still runs is hollow.
    const [inset, more] = tone === 'bad' ? [0, 2] : [tone === 'good' ? 0 : 0.75, 0];
    context.beginPath();
    context.roundRect(x + inset, y + inset - more, long - 2 * inset, height - 2 * inset + 2 * more, 2);
    if (inset === 0) context.fill();
    else context.stroke();
    if (laid !== scene.chosen) continue;
    context.strokeStyle = color('ink');
    context.strokeRect(x - 3, y - 4, long + 6, height + 8);
  }
}

/** Time in which a run waited to begin. */
function hatchOf(context: CanvasRenderingContext2D, color: string): CanvasPattern | string {
  const tile = document.createElement('canvas');
  tile.width = tile.height = 6;
  const pen = tile.getContext('2d');
  if (pen === null) return color;
  pen.strokeStyle = color;
  pen.lineWidth = 1.2;
  pen.moveTo(-1, 7);
  pen.lineTo(7, -1);
  pen.stroke();
  return context.createPattern(tile, 'repeat') ?? color;
}

/** What the lines of a scale may be apart. */
const STEPS = [1 / 60, 1 / 12, 1 / 4, 0.5, 1, 3, 6, 12, 24, 48, 168].map((count) => count * HOUR);

function paintTimes(context: CanvasRenderingContext2D, scene: Scene, color: Colors): void {
  const { since, until, width, height, left } = scene;
  const step = STEPS.find((each) => (each / (until - since)) * (width - left) > 64) ?? 7 * DAY;
  context.font = '12px system-ui, sans-serif';
  const days = Math.max(step / DAY, 1);
  // From midnight to midnight, so that the days on which clocks change keep their hours.
  for (
    const day = new Date(since - (Math.floor(since / DAY) % days) * DAY);
    day.getTime() < until;
    day.setDate(day.getDate() + days)
  ) {
    day.setHours(0, 0, 0, 0);
    const end = Math.min(until, day.getTime() + Math.max(DAY, step) - 1);
    for (let at = day.getTime(); at <= end; at += step) {
      const x = xOf(scene, at);
      if (at < since) continue;
      context.fillStyle = color('line');
      context.fillRect(x, STRIP, 1, height);
      context.fillStyle = color('faint');
      if (x + 40 < width) context.fillText(at === day.getTime() ? dayOf(at) : minuteOf(at), x + 5, HEAD - 9);
    }
  }
}

/** How much runs at a time, of all jobs. */
function paintHead(context: CanvasRenderingContext2D, scene: Scene, color: Colors): void {
  const { load, width, left } = scene;
  context.fillStyle = color('line');
  context.fillRect(0, HEAD - 1, width, 1);
  if (load === undefined) return;
  const most = Math.max(...load.active, ...load.planned, 1);
  context.fillStyle = color('faint');
  if (left > 0) context.fillText(`up to ${most} in a minute`, 20, STRIP - 4);
  for (const [name, figures] of [
    ['quiet', load.planned],
    ['good', load.active],
  ] as const) {
    context.fillStyle = color(name);
    for (const [part, count] of figures.entries()) {
      const x = xOf(scene, load.since + part * load.stepMs);
      const next = xOf(scene, load.since + (part + 1) * load.stepMs);
      const tall = (count / most) * (STRIP - 6);
      if (next > left && count > 0)
        context.fillRect(Math.max(x, left), STRIP - tall, Math.max(next - Math.max(x, left), 1), tall);
    }
  }
}
