import { useComputed, useSignal, type Signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { follow } from './live.ts';
import { isOver, type Run } from './model.ts';
import { Lines } from './lines.ts';
import { href, place } from './route.ts';
import { Screen, type Range, type Shown } from './screen.tsx';

/** Read of an attempt that is over; of more, the end. Bytes. */
const MOST_READ = 16 * 1024 * 1024;

interface Told {
  readonly lines: Lines;
  /** Another each time something came. */
  readonly version: Signal<number>;
  readonly note: Signal<string>;
}

/** What one attempt printed, or prints. */
export function Output({ run, attempt }: { run: Run; attempt: number }) {
  const isLive = !isOver(run) && attempt === Math.max(run.attempts.length, 1);
  const version = useSignal(0);
  const note = useSignal('');
  const marked = markedIn(place.value.query.get('lines'));
  const follows = useSignal(isLive && marked === undefined);
  const query = useSignal('');
  const at = useSignal(0);
  const lines = useMemo(() => new Lines(), [run.id, attempt]);
  useEffect(() => {
    const told = { lines, version, note };
    return isLive ? watch(run, attempt, told) : read(run, attempt, told);
    // Not when it ends: what came by then is all there is.
  }, [run.id, attempt]);
  const found = useComputed(() => {
    void version.value;
    return lines.search(query.value);
  });
  const hit = found.value[at.value % Math.max(found.value.length, 1)];
  const addressOf = (line: number, isRange: boolean): string => {
    const other = isRange && marked !== undefined ? marked.from : line;
    const span = other === line ? line : `${Math.min(other, line)}-${Math.max(other, line)}`;
    return `${href('runs', run.id)}?attempt=${attempt}&lines=${span}`;
  };
  const mark = (line: number, isRange: boolean): void => {
    follows.value = false;
    location.replace(addressOf(line, isRange));
  };
  return (
    <section class="panel output">
      <header>
        <h2>Output</h2>
        <span class="tools">
          <Search {...{ query, at, follows, mark, lines }} found={found.value} />
          <label>
            <input
              type="checkbox"
              checked={follows.value}
              onChange={({ currentTarget }) => (follows.value = currentTarget.checked)}
            />{' '}
            Follow
          </label>
          <a
            href={`/api/v1/runs/${run.id}/output?attempt=${attempt}`}
            download={`${run.jobId}-${run.id}-${attempt}.txt`}
          >
            Download
          </a>
        </span>
      </header>
      {note.value === '' ? undefined : <p class="faint">{note.value}</p>}
      <Screen {...{ lines, version, follows, hit, marked, addressOf, mark }} />
    </section>
  );
}

interface Searching extends Pick<Shown, 'lines' | 'follows' | 'mark'> {
  readonly query: Signal<string>;
  /** Which of those found. */
  readonly at: Signal<number>;
  readonly found: readonly number[];
}

/** Enter goes to the next, with Shift to the one before, and makes it the line of the address. */
function Search({ query, at, follows, found, lines, mark }: Searching) {
  const type = (wanted: string): void => {
    query.value = wanted;
    at.value = 0;
    if (wanted !== '') follows.value = false;
  };
  const step = (by: number): void => {
    if (found.length === 0) return;
    at.value = (at.value + by + found.length) % found.length;
    mark(lines.dropped + (found[at.value] ?? 0) + 1, false);
  };
  return (
    <>
      <input
        id="search"
        type="search"
        placeholder="Search output"
        aria-label="Search output"
        aria-keyshortcuts="/"
        value={query.value}
        onInput={({ currentTarget }) => type(currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') step(event.shiftKey ? -1 : 1);
        }}
      />
      <output class="faint" aria-live="polite">
        {query.value === '' ? '' : `${found.length === 0 ? 0 : at.value + 1} of ${found.length}`}
      </output>
    </>
  );
}

/** Of an address: `120`, or `120-130`. */
function markedIn(text: string | null): Range | undefined {
  const [, from = '', to = from] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text ?? '') ?? [];
  return from === '' ? undefined : { from: Number(from), to: Number(to) };
}

/** As it comes, until the attempt ends. Drawn once a frame, however fast it comes. */
function watch(run: Run, attempt: number, { lines, version, note }: Told): () => void {
  let frame = 0;
  const stop = follow({
    runId: run.id,
    place: `${attempt}:0`,
    take(piece) {
      if (piece.attempt !== attempt) return stop(); // the next attempt has a tab of its own
      lines.add(piece.text);
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        version.value++;
      });
    },
    end() {
      stop();
      if (lines.count === 0) note.value = 'It printed nothing.';
    },
  });
  return () => {
    stop();
    cancelAnimationFrame(frame);
  };
}

function read(run: Run, attempt: number, told: Told): () => void {
  const gone = new AbortController();
  void readAll(run, attempt, { ...told, signal: gone.signal });
  return () => gone.abort();
}

async function readAll(
  run: Run,
  attempt: number,
  { lines, version, note, signal }: Told & { signal: AbortSignal },
): Promise<void> {
  try {
    const response = await fetch(`/api/v1/runs/${run.id}/output?attempt=${attempt}`, {
      headers: { range: `bytes=-${MOST_READ}` },
      credentials: 'same-origin',
      signal,
    });
    if (response.status === 416) note.value = 'It printed nothing.';
    else if (!response.ok) note.value = ((await response.json()) as { detail: string }).detail;
    else {
      lines.add(await response.text());
      note.value = noteOf(response, lines);
    }
    version.value++;
  } catch {
    if (!signal.aborted) note.value = 'The daemon cannot be reached.';
  }
}

function noteOf(response: Response, lines: Lines): string {
  const [, start = '0'] = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '') ?? [];
  if (start !== '0') return `${start} bytes before this are not shown; the download has them.`;
  return lines.count === 0 ? 'It printed nothing.' : '';
}
