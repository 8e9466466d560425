import { useSignal, type Signal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { expectedOf } from './model.ts';
import { boxOf, HEAD, layoutOf, paint, spotAt, type Laid, type Scene } from './paint.ts';
import { JobLink } from './parts.tsx';
import { go, href } from './route.ts';
import { jobs, now } from './state.ts';
import { ids, known, load, parts, sight } from './timeline-data.ts';
import { followClock, goTo, pan, since, until, zoom } from './window.ts';
import { clock, duration, kindWords } from './words.ts';

/** Of the names beside the rows; a narrow screen has them above. Pixels. */
const NAMES = 190;
const NARROW = 620;

interface Spot {
  readonly id: string;
  readonly laid?: Laid | undefined;
  readonly planned?: number | undefined;
  /** Where the pointer is. Absent: keys have chosen it. */
  readonly at?: { readonly x: number; readonly y: number };
}

const px = (length: number): string => `${length}px`;

/** A row a job; only those in sight are drawn, and asked for. */
export function Gantt() {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const size = useSignal({ width: 0, height: 0, top: 0 });
  const spot = useSignal<Spot | undefined>(undefined);
  const left = size.value.width < NARROW ? 0 : NAMES;
  const row = left === 0 ? 44 : 30;
  const scene: Scene = {
    ...size.value,
    left,
    row,
    ids: ids.value,
    lanes: known.value,
    load: load.value,
    expected: (id) => expectedOf(jobs.value.get(id)),
    since: since.value,
    until: until.value,
    now: now.value,
    chosen: renewed(spot.value),
  };
  const first = Math.floor(size.value.top / row);
  const last = Math.min(Math.ceil((size.value.top + size.value.height - HEAD) / row), scene.ids.length);
  const shownIds = scene.ids.slice(first, last);
  useEffect(() => {
    sight.value = shownIds;
    parts.value = Math.round((scene.width - left) / 3);
  }, [shownIds.join(), scene.width]);
  useSize(box, size);
  useLayoutEffect(() => {
    if (canvas.current !== null && scene.width > 0) paint(canvas.current, scene);
  });
  usePointer(box, scene, spot);
  return (
    <div
      class="gantt"
      ref={box}
      tabIndex={0}
      role="application"
      aria-label={`Timeline of ${scene.ids.length} jobs. Arrow keys go from run to run, Enter opens it, plus and minus zoom. The table tells the same.`}
      onScroll={({ currentTarget }) => (size.value = { ...size.value, top: currentTarget.scrollTop })}
    >
      <canvas ref={canvas} style={{ width: px(scene.width), height: px(scene.height) }} />
      <div class="rows" style={{ height: px(HEAD + scene.ids.length * row), marginTop: px(-scene.height) }}>
        {shownIds.map((id, index) => (
          <div
            key={id}
            style={{
              top: px(HEAD + (first + index) * row),
              height: px(row),
              width: left === 0 ? '' : px(left),
            }}
          >
            <JobLink id={id} />
          </div>
        ))}
        {spot.value === undefined ? undefined : <Facts spot={spot.value} scene={scene} />}
      </div>
    </div>
  );
}

interface Size {
  readonly width: number;
  readonly height: number;
  /** Scrolled by so much. */
  readonly top: number;
}

function useSize(box: { current: HTMLDivElement | null }, size: Signal<Size>): void {
  useLayoutEffect(() => {
    const measure = (): void => {
      const { clientWidth: width = 0, clientHeight: height = 0, scrollTop: top = 0 } = box.current ?? {};
      size.value = { width, height, top };
    };
    measure();
    const observer = new ResizeObserver(measure);
    if (box.current !== null) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
}

type Spotted = Signal<Spot | undefined>;

function pointIn(element: Element, { clientX, clientY }: MouseEvent): { x: number; y: number } {
  const { left, top } = element.getBoundingClientRect();
  return { x: clientX - left, y: clientY - top };
}

function timeOf({ since: begin, until: end, width, left }: Scene, x: number): number {
  return begin + ((x - left) / (width - left)) * (end - begin);
}

/** Drags, zooms and points. By hand, since a wheel that zooms must not scroll too. */
function usePointer(box: { current: HTMLDivElement | null }, scene: Scene, spot: Spotted): void {
  const now = useRef(scene);
  now.current = scene;
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    let from: number | undefined;
    let isDrag = false;
    const at = (event: MouseEvent) => pointIn(element, event);
    const timeAt = (x: number): number => timeOf(now.current, x);
    const listeners: { [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void } = {
      wheel(event) {
        const { x, y } = at(event);
        const sideways = event.shiftKey ? event.deltaY : event.deltaX;
        if (event.ctrlKey || event.metaKey || y < HEAD) zoom(Math.exp(event.deltaY / 400), timeAt(x));
        else if (sideways !== 0) pan(sideways / now.current.width);
        else return;
        event.preventDefault();
      },
      pointerdown({ clientX, target, pointerId }) {
        if (target instanceof Element && target.closest('a') !== null) return;
        from = clientX;
        isDrag = false;
        element.setPointerCapture(pointerId);
      },
      pointermove(event) {
        const { x, y } = at(event);
        if (from === undefined) {
          const found = x < now.current.left ? undefined : spotAt(now.current, x, y);
          if (found !== undefined || spot.value !== undefined)
            spot.value = found && { ...found, at: { x, y } };
        } else if (isDrag || Math.abs(event.clientX - from) > 4) {
          isDrag = true;
          spot.value = undefined;
          pan((from - event.clientX) / (now.current.width - now.current.left));
          from = event.clientX;
        }
      },
      pointerup(event) {
        const { x, y } = at(event);
        if (from !== undefined && !isDrag) {
          const found = spotAt(now.current, x, y);
          if (y < HEAD) goTo(timeAt(x), (now.current.until - now.current.since) / 4);
          else if (found !== undefined) open(found);
        }
        from = undefined;
      },
      keydown(event) {
        if (event.target === element && key(event, now.current, spot)) event.preventDefault();
      },
      pointercancel: () => (from = undefined),
      pointerleave: () => (spot.value = undefined),
    };
    for (const [name, listener] of Object.entries(listeners))
      element.addEventListener(name, listener as EventListener, { passive: false });
    // The element goes with its listeners.
    return undefined;
  }, []);
}

/** The bar that was chosen, as it is known by now: its run may have ended, or be drawn as one with others, or no more so. */
function renewed({ id, laid: chosen }: Partial<Spot> = {}): Laid | undefined {
  const lane = known.value.get(id ?? '');
  if (chosen === undefined || lane === undefined) return chosen;
  const { laid } = layoutOf(lane);
  return (
    laid.find(({ bar }) => bar === chosen.bar) ??
    laid.find(({ bar }) => bar.runId !== '' && bar.runId === chosen.bar.runId) ??
    laid.find(({ start, end = start }) => start <= chosen.start && chosen.start <= end)
  );
}

/** Opens the run; several that are drawn as one are brought nearer. */
function open({ laid, id }: Spot): void {
  if (laid === undefined || laid.bar.runId === '') go(href('jobs', id));
  else if (laid.bar.runs === 1) go(href('runs', laid.bar.runId));
  else goTo((laid.start + (laid.end ?? laid.start)) / 2, ((laid.end ?? laid.start) - laid.start) * 4);
}

/** Whether the key means something here. */
function key({ key: name, shiftKey }: KeyboardEvent, scene: Scene, spot: Spotted): boolean {
  const side = { ArrowLeft: -1, ArrowRight: 1 }[name];
  const down = { ArrowUp: -1, ArrowDown: 1 }[name];
  if (name === '+' || name === '=') zoom(0.5);
  else if (name === '-') zoom(2);
  else if (name === 'Home') followClock();
  else if (side !== undefined && shiftKey) pan(side / 4);
  else if (side !== undefined || down !== undefined)
    choose(scene, spot, { side: side ?? 0, down: down ?? 0 });
  else if (name === 'Enter' && spot.value !== undefined) open({ ...spot.value, laid: scene.chosen });
  else if (name === 'Escape') spot.value = undefined;
  else return false;
  return true;
}

/** The next run in this row, or the one in another row that begins nearest. */
function choose(scene: Scene, spot: Spotted, { side, down }: { side: number; down: number }): void {
  const { value } = spot;
  const start = scene.chosen?.start ?? scene.now;
  const at = value === undefined ? Math.ceil(scene.top / scene.row) : scene.ids.indexOf(value.id);
  for (let index = at + down; index >= 0 && index < scene.ids.length; index += down || scene.ids.length) {
    const lane = scene.lanes.get(scene.ids[index] ?? '');
    if (lane === undefined) return;
    const layout = layoutOf(lane);
    const [next] = layout.laid
      .filter((laid) => side === 0 || (laid.start - start) * side > 0)
      .sort((one, other) => Math.abs(one.start - start) - Math.abs(other.start - start));
    if (next === undefined) continue;
    if (next.start < scene.since || next.start > scene.until) goTo(next.start, scene.until - scene.since);
    spot.value = { id: lane.jobId, laid: next };
    return;
  }
}

function Facts({ spot: { id, planned, at }, scene }: { spot: Spot; scene: Scene }) {
  const laid = scene.chosen;
  if (laid === undefined && planned === undefined) return undefined; // it is no more
  const box = at ?? (laid && boxOf(scene, scene.ids.indexOf(id), laid)) ?? { x: 0, y: 0 };
  const { y } = box;
  const x = Math.min(Math.max(box.x, scene.left), scene.width);
  const flipped = x > scene.width / 2;
  return (
    <div
      class="facts-box"
      role="status"
      style={{
        top: px(y + scene.top + (y > scene.height - 150 ? -110 : 18)),
        ...(flipped ? { right: px(scene.width - x) } : { left: px(x) }),
      }}
    >
      <b>{id}</b>
      {laid === undefined ? <Planned id={id} at={planned ?? 0} /> : <Ran laid={laid} />}
    </div>
  );
}

function Planned({ id, at }: { id: string; at: number }) {
  const expected = expectedOf(jobs.value.get(id));
  return (
    <span>
      planned for {clock(at, now.value)}
      {expected === undefined ? '' : `, takes about ${duration(expected)}`}
    </span>
  );
}

function Ran({ laid: { bar, due, start, end } }: { laid: Laid }) {
  if (bar.runs > 1)
    return (
      <span>
        {bar.runs} runs from {clock(start, now.value)}, {bar.failed} failed: a click brings them nearer
      </span>
    );
  return (
    <>
      <span>{kindWords(bar.kind)}</span>
      <span>
        due {clock(due, now.value)}
        {start > due ? `, began after ${duration(start - due)}` : ''}
      </span>
      <span>
        {end === undefined ? 'so far' : 'took'} {duration(Math.max((end ?? now.value) - start, 0))}
      </span>
    </>
  );
}
