/** Small things that every view is made of. */
import type { ComponentChildren } from 'preact';
import { mayRun, pausing, resume, runNow } from './actions.ts';
import { isRun, type Job, type Kind, type Row, type Run } from './model.ts';
import { href } from './route.ts';
import { now } from './state.ts';
import { clock, coarse, kindWords, runWords, skipWords, toneOf, toneOfKind } from './words.ts';

/** A moment in this browser's zone; the exact one on hover. */
export function When({ at }: { at: string | number | null }) {
  if (at === null) return <span class="faint">–</span>;
  const instant = typeof at === 'number' ? at : Date.parse(at);
  const exact = new Date(instant).toISOString();
  return (
    <time dateTime={exact} title={exact}>
      {clock(instant, now.value)}
    </time>
  );
}

export function Countdown({ at }: { at: string }) {
  const left = Date.parse(at) - now.value;
  return (
    <time class="countdown" dateTime={at} title={`${at} (${clock(Date.parse(at), now.value)})`}>
      {left <= 0 ? 'now' : `in ${coarse(left + 999)}`}
    </time>
  );
}

export function Ago({ at }: { at: string }) {
  const past = now.value - Date.parse(at);
  return (
    <time dateTime={at} title={at}>
      {past < 1000 ? 'just now' : `${coarse(past)} ago`}
    </time>
  );
}

/** Colour and shape say the same, for those who do not see the one. */
export function Mark({ tone }: { tone: string }) {
  return <span class={`mark ${tone}`} aria-hidden="true" />;
}

export function RowWords({ row }: { row: Row }) {
  return (
    <span class={`outcome ${toneOf(row)}`}>
      <Mark tone={toneOf(row)} />
      <span>{isRun(row) ? runWords(row) : `skipped: ${skipWords(row)}`}</span>
    </span>
  );
}

/** Recent runs, oldest first. */
export function Dots({ recent }: { recent: readonly (Kind | 'active')[] }) {
  if (recent.length === 0) return <span class="faint">never ran</span>;
  const told = [...recent].reverse();
  const counts = Object.entries(Object.groupBy(recent, (kind) => kind))
    .map(([kind, alike]) => `${alike.length} ${kindWords(kind)}`)
    .join(', ');
  return (
    <span class="dots" role="img" aria-label={`Last ${recent.length}: ${counts}`} title={counts}>
      {told.map((kind, index) => (
        <i key={index} class={toneOfKind(kind)} />
      ))}
    </span>
  );
}

export function JobLink({ id }: { id: string }) {
  return (
    <a class="id" href={href('jobs', id)}>
      {id}
    </a>
  );
}

export function RunLink({ run, children }: { run: Run; children: ComponentChildren }) {
  return <a href={href('runs', run.id)}>{children}</a>;
}

export function StateWord({ job }: { job: Job }) {
  if (job.state === 'scheduled') return undefined;
  const why = job.state === 'faulted' ? job.fault : job.pause?.reason;
  return (
    <span class={`state ${job.state}`} title={why ?? ''}>
      {job.state}
    </span>
  );
}

/** Nothing at all for those who may only look. */
export function JobButtons({ job, small }: { job: Job; small?: boolean }) {
  if (!mayRun()) return undefined;
  const isPaused = job.pause !== null;
  const size = small === true ? 'small' : '';
  return (
    <span class="buttons">
      <button
        type="button"
        class={size}
        onClick={() => void runNow(job.id)}
        aria-label={`Run now: ${job.id}`}
      >
        Run now
      </button>
      {isPaused ? (
        <button
          type="button"
          class={size}
          onClick={() => void resume(job.id)}
          aria-label={`Resume ${job.id}`}
        >
          Resume
        </button>
      ) : (
        <button
          type="button"
          class={size}
          onClick={() => (pausing.value = job.id)}
          aria-label={`Pause ${job.id}`}
        >
          Pause
        </button>
      )}
    </span>
  );
}

export function Panel({
  title,
  aside,
  children,
}: {
  title: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section class="panel">
      <header>
        <h2>{title}</h2>
        {aside === undefined ? undefined : <span class="aside">{aside}</span>}
      </header>
      {children}
    </section>
  );
}

export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
