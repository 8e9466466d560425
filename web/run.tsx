import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { cancel, mayRun, retry } from './actions.ts';
import { ApiProblem, ask, segment } from './api.ts';
import { isOver, lengthOf, type Attempt, type Run, type Shard } from './model.ts';
import { Countdown, Fact, JobLink, Mark, RowWords, When } from './parts.tsx';
import { Output } from './output.tsx';
import { filter, href, place } from './route.ts';
import { loads, now, runs } from './state.ts';
import { awaitsWords, causeWords, coarse, duration, outcomeWords, runWords, toneOfKind } from './words.ts';

export function RunPage({ id }: { id: string }) {
  const asked = useSignal<Run | undefined>(undefined);
  const trouble = useSignal('');
  // Events keep it up to date.
  const live = runs.value.get(id);
  useEffect(() => {
    if (live !== undefined) return;
    trouble.value = '';
    ask<Run>(`runs/${segment(id)}`).then(
      (run) => (asked.value = run),
      (error: unknown) => (trouble.value = error instanceof ApiProblem ? error.message : ''),
    );
  }, [id, live === undefined, loads.value]);
  const run = live ?? (asked.value?.id === id ? asked.value : undefined);
  if (run !== undefined) return <View run={run} />;
  if (trouble.value !== '') return <p class="empty">{trouble.value}</p>;
  return <p class="faint wait">Asking the daemon…</p>;
}

function View({ run }: { run: Run }) {
  const newest = Math.max(run.attempts.length, 1);
  const chosen = Number(place.value.query.get('attempt') ?? newest);
  const attempt = run.attempts.some(({ number }) => number === chosen) ? chosen : newest;
  return (
    <>
      <p class="path">
        <a href={href('jobs')}>Jobs</a> / <JobLink id={run.jobId} /> /
      </p>
      <div class="title">
        <h1>
          Run of <When at={run.scheduledAt} />
        </h1>
        <RowWords row={run} />
        <Buttons run={run} />
      </div>
      {run.outcome?.hint === undefined ? undefined : <p class="lead">{run.outcome.hint}</p>}
      <Facts run={run} />
      {run.attempts.length > 1 ? <Attempts run={run} chosen={attempt} /> : undefined}
      {run.shards !== null ? (
        <Shards shards={run.shards} />
      ) : run.attempts.length === 0 && isOver(run) ? (
        <p class="faint">It never started, so it printed nothing.</p>
      ) : (
        <div id="output" role={run.attempts.length > 1 ? 'tabpanel' : undefined}>
          <Output key={`${run.id} ${attempt}`} run={run} attempt={attempt} />
        </div>
      )}
    </>
  );
}

/** Each with a page of its own, where its output is. */
function Shards({ shards }: { shards: readonly Shard[] }) {
  return (
    <ul class="list">
      {shards.map((shard) => (
        <li key={shard.id}>
          <a href={href('runs', shard.id)}>
            <Mark tone={shard.outcome === null ? 'active' : toneOfKind(shard.outcome.kind)} /> Shard{' '}
            {shard.index}
          </a>{' '}
          <span class="faint">
            {Object.values(shard.matrix ?? {}).join(' ')} {runWords(shard)}
          </span>
        </li>
      ))}
    </ul>
  );
}

function Buttons({ run }: { run: Run }) {
  // A part is cancelled and repeated with its run.
  if (!mayRun() || run.id.includes('.')) return undefined;
  return (
    <span class="buttons">
      {isOver(run) ? (
        <button type="button" onClick={() => void retry(run)}>
          Run again
        </button>
      ) : (
        <button type="button" class="danger" onClick={() => void cancel(run)}>
          Cancel
        </button>
      )}
    </span>
  );
}

function Facts({ run }: { run: Run }) {
  const length = lengthOf(run, now.value);
  const delay = run.startedAt === null ? undefined : Date.parse(run.startedAt) - Date.parse(run.scheduledAt);
  const { pid = null, node = null, awaits = null } = run.attempts.at(-1) ?? {};
  return (
    <dl class="facts">
      <Fact name="Scheduled">
        <When at={run.scheduledAt} />
      </Fact>
      <Fact name="Started">
        <When at={run.startedAt} />
        {delay === undefined || delay < 0 ? '' : <span class="faint"> after {duration(delay)}</span>}
      </Fact>
      <Fact name={isOver(run) ? 'Took' : 'For'}>
        {length === undefined ? '–' : isOver(run) ? duration(length) : coarse(length)}
      </Fact>
      <Fact name="Began">{causeWords(run.cause)}</Fact>
      {run.retryAt === null ? undefined : (
        <Fact name="Next attempt">
          <Countdown at={run.retryAt} />
        </Fact>
      )}
      {node === null ? undefined : <Fact name="Node">{node}</Fact>}
      {awaits === null ? undefined : <Fact name="Node">{awaitsWords(run)}</Fact>}
      {pid === null ? undefined : <Fact name="Process">{pid}</Fact>}
      <Fact name="Run">
        <code class="uuid">{run.id}</code>
      </Fact>
    </dl>
  );
}

function Attempts({ run, chosen }: { run: Run; chosen: number }) {
  const pick = (number: number): void =>
    filter({ attempt: number === run.attempts.length ? '' : `${number}`, lines: '' });
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined) return;
    const next = Math.min(Math.max(chosen + by, 1), run.attempts.length);
    pick(next);
    document.getElementById(`attempt-${next}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="Attempts" onKeyDown={onKeyDown}>
      {run.attempts.map((attempt) => (
        <button
          key={attempt.number}
          id={`attempt-${attempt.number}`}
          type="button"
          role="tab"
          aria-controls="output"
          aria-selected={attempt.number === chosen}
          tabIndex={attempt.number === chosen ? 0 : -1}
          onClick={() => pick(attempt.number)}
        >
          <Mark tone={attempt.outcome === null ? 'active' : toneOfKind(attempt.outcome.kind)} /> Attempt{' '}
          {attempt.number}
          <span class="faint"> {wordsOf(attempt)}</span>
        </button>
      ))}
    </div>
  );
}

function wordsOf({ outcome, durationMs, node, awaits, cancelledBy }: Attempt): string {
  const begun = awaits === null ? 'running' : 'waits for a node';
  const now = cancelledBy === null ? begun : 'being cancelled';
  const end = outcome === null ? now : outcomeWords(outcome);
  const took = durationMs === null ? end : `${end}, ${duration(durationMs)}`;
  return node === null ? took : `${took}, ${node}`;
}
