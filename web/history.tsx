import { useSignal } from '@preact/signals';
import { reasonOf } from './actions.ts';
import { ask, segment } from './api.ts';
import { isRun, lengthOf, type Row, type Run } from './model.ts';
import { Panel, RowWords, RunLink, When } from './parts.tsx';
import { filter, place } from './route.ts';
import { now } from './state.ts';
import { causeWords, duration } from './words.ts';

/** Rows that are shown at first. */
const SHOWN = 25;

/** What became of the slots of a job, or of one day. */
export function History({ id, rows, most }: { id: string; rows: readonly Row[]; most: number }) {
  const { query } = place.value;
  const day = query.get('day');
  const shown = rows.slice(0, Number(query.get('rows') ?? SHOWN));
  const chosen = (
    <button type="button" class="tag" aria-pressed onClick={() => filter({ day: '' })}>
      {day} ×
    </button>
  );
  return (
    <Panel title="Runs and skips" aside={day === null ? 'the newest' : chosen}>
      {rows.length === 0 ? <p class="faint">None.</p> : undefined}
      <ul class="list history">
        {shown.map((row) => (
          <Slot key={isRun(row) ? row.id : row.scheduledAt} id={id} row={row} />
        ))}
      </ul>
      {rows.length > shown.length ? (
        <button type="button" onClick={() => filter({ rows: `${most}` })}>
          Show {rows.length}
        </button>
      ) : undefined}
    </Panel>
  );
}

function Slot({ id, row }: { id: string; row: Row }) {
  const why = useSignal('');
  const words = <RowWords row={row} />;
  const isSlot = !isRun(row) || row.cause === 'schedule' || row.cause === 'catch_up';
  const explain = async (): Promise<void> => {
    if (why.value !== '') why.value = '';
    else why.value = await reasonFor(id, row.scheduledAt);
  };
  return (
    <li>
      <When at={row.scheduledAt} />
      <span>{isRun(row) ? <RunLink run={row}>{words}</RunLink> : words}</span>
      <span class="faint">
        {isRun(row) ? detailOf(row) : ''}{' '}
        {isSlot ? (
          <button
            type="button"
            class="plain"
            aria-expanded={why.value !== ''}
            aria-label={`Why, ${row.scheduledAt}`}
            onClick={() => void explain()}
          >
            why
          </button>
        ) : undefined}
      </span>
      {why.value === '' ? undefined : <p class="why">{why.value}</p>}
    </li>
  );
}

/** In the words of `tsched why`. */
async function reasonFor(id: string, slot: string): Promise<string> {
  try {
    const path = `jobs/${segment(id)}/why?time=${slot}`;
    return (await ask<{ inWords: string }>(path)).inWords;
  } catch (error) {
    return reasonOf(error);
  }
}

function detailOf(run: Run): string {
  const length = lengthOf(run, run.finishedAt === null ? now.value : 0);
  const attempts = run.attempts.length > 1 ? `${run.attempts.length} attempts` : '';
  const cause = run.cause === 'schedule' ? '' : causeWords(run.cause);
  return [length === undefined ? '' : duration(length), attempts, cause].filter(Boolean).join(' · ');
}
