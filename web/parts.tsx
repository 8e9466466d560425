/** Small things that every view is made of. */
import type { ComponentChildren } from 'preact';
import { asking, mayRun, resume, runNow } from './actions.ts';
import { isRun, quantile, type Job, type Kind, type Row, type Run } from './model.ts';
import { href } from './route.ts';
import { now } from './state.ts';
import { clock, coarse, duration, kindWords, runWords, skipWords, toneOf, toneOfKind } from './words.ts';

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

/** How long recent runs took, oldest first, and what half of them stay below. */
export function Spark({ durations }: { durations: readonly (number | null)[] }) {
  const known = durations.filter((each) => each !== null).reverse();
  const p50 = quantile(
    known.toSorted((one, other) => one - other),
    0.5,
  );
  if (p50 === undefined) return <span class="faint">–</span>;
  const most = Math.max(...known, 1);
  const points = known.map((each, index) => `${index * 7 + 2},${17 - (each / most) * 15}`);
  return (
    <span class="spark" title={`The last ${known.length} took ${known.map(duration).join(', ')}`}>
      <svg width="67" height="19" aria-hidden="true">
        <polyline points={points.join(' ')} />
        <circle cx={points.at(-1)?.split(',')[0]} cy={points.at(-1)?.split(',')[1]} r="2" />
      </svg>{' '}
      {duration(p50)}
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
export function JobButtons({ job: { id, pause }, small }: { job: Job; small?: boolean }) {
  if (!mayRun()) return undefined;
  const button = (text: string, label: string, action: () => void) => (
    <button
      type="button"
      class={small === true ? 'small' : ''}
      onClick={action}
      aria-label={`${label} ${id}`}
    >
      {text}
    </button>
  );
  return (
    <span class="buttons">
      {button('Run now', 'Run now:', () => void runNow(id))}
      {button(
        small === true ? '…' : 'Run with…',
        'Run with arguments:',
        () => (asking.value = { what: 'run', id }),
      )}
      {pause === null
        ? button('Pause', 'Pause', () => (asking.value = { what: 'pause', id }))
        : button('Resume', 'Resume', () => void resume(id))}
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
