import { useSignal, type Signal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Lines } from './lines.ts';

/** Of a line, as the style sheet has it. Pixels. */
const LINE = 18;
/** Drawn beyond both edges. */
const MORE = 20;

interface Shown {
  readonly lines: Lines;
  readonly version: Signal<number>;
  readonly follows: Signal<boolean>;
  /** The line to bring into sight. */
  readonly hit: number | undefined;
}

/** Lines of which only those in sight are drawn: a hundred thousand cost what fifty cost. */
export function Screen({ lines, version, follows, hit }: Shown) {
  const box = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(600);
  void version.value;
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    height.value = element.clientHeight;
    if (follows.value) element.scrollTop = element.scrollHeight;
  });
  useLayoutEffect(() => {
    if (hit !== undefined && box.current !== null)
      box.current.scrollTop = hit * LINE - box.current.clientHeight / 2;
  }, [hit]);
  const scrolled = (): void => {
    const element = box.current;
    if (element === null) return;
    const isUp = element.scrollTop < top.value;
    top.value = element.scrollTop;
    const left = element.scrollHeight - element.clientHeight - element.scrollTop;
    if (isUp && left > LINE) follows.value = false;
  };
  const first = Math.max(Math.floor(top.value / LINE) - MORE, 0);
  const last = Math.min(first + Math.ceil(height.value / LINE) + 2 * MORE, lines.count);
  const shown = Array.from({ length: Math.max(last - first, 0) }, (_, index) => first + index);
  return (
    <div
      class="screen"
      ref={box}
      onScroll={scrolled}
      tabIndex={0}
      role="log"
      aria-label="Output"
      aria-live="off"
    >
      <div class="paper" style={{ height: `${lines.count * LINE}px` }}>
        <div class="sheet" style={{ transform: `translateY(${first * LINE}px)` }}>
          {shown.map((index) => (
            <Row key={index} lines={lines} index={index} isHit={index === hit} />
          ))}
        </div>
      </div>
    </div>
  );
}

function Row({ lines, index, isHit }: { lines: Lines; index: number; isHit: boolean }) {
  return (
    <div class={isHit ? 'line hit' : 'line'}>
      <span class="number" aria-hidden="true">
        {lines.dropped + index + 1}
      </span>
      <code>
        {lines.pieces(index).map(({ text, style }, part) =>
          style === '' ? (
            text
          ) : (
            <span key={part} class={style}>
              {text}
            </span>
          ),
        )}
      </code>
    </div>
  );
}
