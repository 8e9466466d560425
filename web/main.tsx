/** The page: its frame, its views, its keys. */
import { effect } from '@preact/signals';
import { render } from 'preact';
import { notice, runNow, mayRun } from './actions.ts';
import { ApiProblem, logOut, lookForSession, session } from './api.ts';
import { Dialogs } from './dialogs.tsx';
import { JobPage } from './job.tsx';
import { Jobs } from './jobs.tsx';
import { Later } from './later.tsx';
import { keepLive, link } from './live.ts';
import { icon, Login } from './login.tsx';
import { Overview } from './overview.tsx';
import { When } from './parts.tsx';
import { go, href, place } from './route.ts';
import { RunPage } from './run.tsx';
import { keepNow, status } from './state.ts';

function App() {
  if (session.value === undefined) return <p class="faint wait">Asking the daemon…</p>;
  if (session.value === null) return <Login />;
  return (
    <>
      <a class="skip" href="#content" onClick={skip}>
        Skip to the content
      </a>
      <Top />
      <Stale />
      <main id="content" tabIndex={-1}>
        <View />
      </main>
      <Foot />
      <Notices />
      <Dialogs />
    </>
  );
}

/** The address is the view's. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('content')?.focus();
}

function View() {
  const [first, second] = place.value.path;
  if (first === undefined) return <Overview />;
  if (first === 'jobs') return second === undefined ? <Jobs /> : <JobPage key={second} id={second} />;
  if (first === 'runs' && second !== undefined) return <RunPage key={second} id={second} />;
  if (first === 'timeline' || first === 'file' || first === 'nodes')
    return <Later key={first} view={first} />;
  return (
    <p class="empty">
      There is nothing at this address. <a href={href()}>To the overview</a>
    </p>
  );
}

/** By the key that follows a `g`. */
const VIEWS = [
  ['o', 'Overview'],
  ['j', 'Jobs', 'jobs'],
  ['t', 'Timeline', 'timeline'],
  ['f', 'File', 'file'],
  ['n', 'Nodes', 'nodes'],
] as const;

/** The nodes are those of a cluster. */
const views = () => VIEWS.filter(([key]) => key !== 'n' || status.value?.cluster === true);

function Top() {
  const [first] = place.value.path;
  const current = (is: boolean): 'page' | undefined => (is ? 'page' : undefined);
  return (
    <header class="top">
      <a class="brand" href={href()}>
        <img src={icon()} alt="" width="22" height="22" /> tsched
      </a>
      <nav aria-label="Views">
        {views().map(([key, name, ...path]) => (
          <a
            key={key}
            href={href(...path)}
            aria-current={current(first === path[0] || (first === 'runs' && key === 'j'))}
            aria-keyshortcuts={`g ${key}`}
          >
            {name}
          </a>
        ))}
      </nav>
      <span class={`link ${link.value.kind}`} role="status">
        {{ live: 'live', lost: 'stale', opening: 'connecting' }[link.value.kind]}
      </span>
      {session.value?.by.startsWith('token') === true ? (
        <button type="button" class="plain" onClick={() => void logOut()}>
          Log out
        </button>
      ) : undefined}
    </header>
  );
}

function Stale() {
  if (link.value.kind !== 'lost') return undefined;
  return (
    <p class="stale" role="alert">
      The daemon cannot be reached. This is how things stood at <When at={link.value.since} />; it is tried
      again.
    </p>
  );
}

function Foot() {
  const { version, file, startedAt } = status.value ?? {};
  if (startedAt === undefined) return undefined;
  return (
    <footer>
      <span>
        tsched {version}, up since <When at={startedAt} />
      </span>
      <span title={file}>{file}</span>
      <span>
        {session.value?.by}
        {mayRun() ? '' : ', which may only look'}
      </span>
      <span class="keys">
        <kbd>/</kbd> search
        {views().map(([key, name]) => (
          <>
            {' '}
            <kbd>g</kbd> <kbd>{key}</kbd> {name.toLowerCase()}
          </>
        ))}
        {mayRun() ? (
          <>
            {' '}
            <kbd>r</kbd> run the job
          </>
        ) : undefined}
      </span>
    </footer>
  );
}

function Notices() {
  const said = notice.value;
  return (
    <div class="notices" role="status" aria-live="polite">
      {said === undefined ? undefined : (
        <p class={said.isBad ? 'bad' : ''}>
          <span>
            {said.text} {said.hint}
          </span>
          {said.link === undefined ? undefined : <a href={said.link.to}>{said.link.text}</a>}
          <button type="button" class="plain" aria-label="Close" onClick={() => (notice.value = undefined)}>
            ×
          </button>
        </p>
      )}
    </div>
  );
}

let last = '';

function key(event: KeyboardEvent): void {
  const isTyping =
    event.target instanceof Element && event.target.closest('input, select, textarea, dialog') !== null;
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const before = last;
  last = event.key;
  const view = before === 'g' ? views().find(([each]) => each === event.key) : undefined;
  if (view !== undefined) go(href(...view.slice(2)));
  else if (event.key === '/') search(event);
  else if (event.key === 'r' && mayRun()) runShown();
}

/** Where nothing can be searched, the jobs are. */
function search(event: KeyboardEvent): void {
  event.preventDefault();
  if (document.getElementById('search') === null) {
    go(href('jobs'));
    addEventListener(
      'hashchange',
      () => requestAnimationFrame(() => document.getElementById('search')?.focus()),
      { once: true },
    );
  } else document.getElementById('search')?.focus();
}

function runShown(): void {
  const [first, id] = place.value.path;
  if (first === 'jobs' && id !== undefined) void runNow(id);
}

async function begin(): Promise<void> {
  try {
    await lookForSession();
  } catch (error) {
    if (!(error instanceof ApiProblem)) setTimeout(() => void begin(), 2000);
  }
}

const root = document.getElementById('app');
if (root !== null) {
  root.replaceChildren();
  render(<App />, root);
}
addEventListener('keydown', key);
let shown = '';
effect(() => {
  const { path } = place.value;
  // Another view begins at its top.
  if (path.join('/') !== shown) scrollTo(0, 0);
  shown = path.join('/');
  document.title = [path[1] ?? VIEWS.find((view) => view[2] === path[0])?.[1] ?? 'Overview', 'tsched'].join(
    ' · ',
  );
});
keepNow();
keepLive();
void begin();
