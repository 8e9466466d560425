import { useSignal, type Signal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Lines } from './lines.ts';

/** Of a line, as the style sheet has it. Pixels. */
const LINE = 18;
/** Drawn beyond both edges. */
const MORE = 20;

export interface Shown {
  readonly lines: Lines;
  readonly version: Signal<number>;
  readonly follows: Signal<boolean>;
  /** The line that was searched for. */
  readonly hit: number | undefined;
  /** Those that the address names, by their numbers. */
  readonly marked: Range | undefined;
  /** The address of a line, or of those from the marked one up to it. */
  readonly addressOf: (line: number, isRange: boolean) => string;
  /** Goes there. */
  readonly mark: (line: number, isRange: boolean) => void;
}

export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Lines of which only those in sight are drawn: a hundred thousand cost what fifty cost. */
export function Screen({ lines, version, follows, hit, marked, addressOf, mark }: Shown) {
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
  const named = marked === undefined ? -1 : marked.from - lines.dropped - 1;
  const sought = hit ?? (named >= 0 && named < lines.count ? named : undefined);
  useLayoutEffect(() => {
    const element = box.current;
    if (sought === undefined || element === null) return;
    const away = sought * LINE - element.scrollTop;
    if (away < 0 || away > element.clientHeight - LINE)
      element.scrollTop = sought * LINE - element.clientHeight / 2;
  }, [sought]);
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
            <Row key={index} {...{ lines, index, marked, addressOf, mark }} isHit={index === hit} />
          ))}
        </div>
      </div>
    </div>
  );
}

interface Drawn extends Pick<Shown, 'lines' | 'marked' | 'addressOf' | 'mark'> {
  readonly index: number;
  readonly isHit: boolean;
}

function Row({ lines, index, isHit, marked, addressOf, mark }: Drawn) {
  const line = lines.dropped + index + 1;
  const isMarked = marked !== undefined && line >= marked.from && line <= marked.to;
  const click = (event: MouseEvent): void => {
    event.preventDefault();
    mark(line, event.shiftKey);
  };
  return (
    <div class={`line ${isHit ? 'hit' : isMarked ? 'marked' : ''}`}>
      <a class="number" href={addressOf(line, false)} tabIndex={-1} aria-hidden="true" onClick={click}>
        {line}
      </a>
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
