import { useSignal, type Signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { ApiProblem, ask, session } from './api.ts';
import type { FileProblem, NextTime, Run } from './model.ts';
import { Fact, JobLink, Panel, When } from './parts.tsx';
import { status } from './state.ts';

/** What is explained before anything is asked. */
const EXAMPLE = '30 9 * * 1-5';
/** Jobs that a plan names of each kind. */
const MOST_NAMED = 30;

interface Explained {
  readonly words: string;
  readonly timezone: string;
  readonly warnings: readonly string[];
  readonly times: readonly NextTime[];
}

/** What of a job file differs from what runs. */
interface Change {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly rescheduled: readonly string[];
  readonly removed: readonly string[];
  readonly unchanged: number;
  /** What differs, by job. */
  readonly changedKeys: Readonly<Record<string, readonly string[]>>;
  /** Of jobs that change or leave: they finish as they began. */
  readonly activeRuns: readonly Run[];
}

interface Plan extends Change {
  readonly warnings: readonly FileProblem[];
  readonly kind: 'unchanged' | 'planned' | 'applied';
}

interface Checked {
  readonly jobs: number;
  /** None where there are errors. */
  readonly plan: Change | null;
  readonly errors: readonly FileProblem[];
  readonly warnings: readonly FileProblem[];
}

/** What was answered, or why it was not. */
interface Answered<T> {
  readonly value?: T;
  readonly trouble?: string;
  readonly problems?: readonly FileProblem[];
}

async function answer<T>(signal: Signal<Answered<T>>, path: string, body?: object): Promise<void> {
  try {
    signal.value = { value: await ask<T>(path, { method: 'POST', ...(body === undefined ? {} : { body }) }) };
  } catch (error) {
    const isAnswer = error instanceof ApiProblem;
    signal.value = isAnswer
      ? { trouble: `${error.message} ${error.hint}`, problems: error.problems }
      : { trouble: 'the daemon cannot be reached' };
  }
}

export function FilePage() {
  const isAdmin = session.value?.scope === 'admin';
  return (
    <>
      <h1 class="hidden">Job file</h1>
      <Loaded isAdmin={isAdmin} />
      <div class="columns even">
        <Explainer />
        {isAdmin ? (
          <Validator />
        ) : (
          <Panel title="Check a job file">
            <p class="faint">
              This takes a token of scope admin, since a job file can name other files of the host.
            </p>
          </Panel>
        )}
      </div>
    </>
  );
}

function Loaded({ isAdmin }: { isAdmin: boolean }) {
  const plan = useSignal<Answered<Plan>>({});
  const { file, loadedAt, fileProblem } = status.value ?? {};
  // The status says that it is broken; where, a reload would say.
  useEffect(() => {
    if (isAdmin && fileProblem) void answer(plan, 'reload?dry_run=true');
    else plan.value = {};
  }, [fileProblem?.since]);
  if (loadedAt === undefined) return <p class="faint wait">Asking the daemon…</p>;
  return (
    <Panel title="Job file" aside={fileProblem ? 'broken: the jobs before this edit go on' : 'as it runs'}>
      <dl class="facts">
        <Fact name="File">
          <code>{file}</code>
        </Fact>
        <Fact name="Loaded">
          <When at={loadedAt} />
        </Fact>
        {isAdmin ? (
          <Fact name="A reload now">
            <button type="button" class="small" onClick={() => void answer(plan, 'reload?dry_run=true')}>
              What would it change?
            </button>
          </Fact>
        ) : undefined}
      </dl>
      {fileProblem && plan.value.trouble === undefined ? (
        <pre class="code bad">{fileProblem.message}</pre>
      ) : undefined}
      <div aria-live="polite">
        {plan.value.trouble === undefined ? undefined : <pre class="code bad">{plan.value.trouble}</pre>}
        <Problems problems={plan.value.problems ?? []} />
        {plan.value.value === undefined ? undefined : (
          <>
            <Changes plan={plan.value.value} />
            <Problems problems={plan.value.value.warnings} />
            {plan.value.value.kind === 'planned' ? (
              <button type="button" class="primary" onClick={() => void answer(plan, 'reload')}>
                Reload now
              </button>
            ) : undefined}
          </>
        )}
      </div>
    </Panel>
  );
}

const CHANGES = {
  added: 'they start from now',
  changed: 'they keep their place',
  rescheduled: 'they start anew from now',
  removed: 'they leave',
} as const;

function Changes({ plan }: { plan: Change }) {
  const names = (Object.keys(CHANGES) as (keyof typeof CHANGES)[]).filter((name) => plan[name].length > 0);
  return (
    <dl class="terms">
      {names.map((name) => (
        <Fact key={name} name={`${plan[name].length} ${name}`}>
          {plan[name].slice(0, MOST_NAMED).map((id) => (
            <>
              <JobLink id={id} />
              {keysOf(plan, id)}{' '}
            </>
          ))}
          <span class="faint">
            {plan[name].length > MOST_NAMED ? '… ' : ''}
            {CHANGES[name]}
          </span>
        </Fact>
      ))}
      <Fact name={`${plan.unchanged} unchanged`}>
        {names.length === 0 ? 'What is in the file is what runs.' : ''}
        {plan.activeRuns.length > 0 ? `${plan.activeRuns.length} active runs finish as they began.` : ''}
      </Fact>
    </dl>
  );
}

/** An id may be the name of what every object has. */
function keysOf({ changedKeys }: Change, id: string): string {
  return Object.hasOwn(changedKeys, id) ? ` (${changedKeys[id]?.join(', ')})` : '';
}

function Explainer() {
  const explained = useSignal<Answered<Explained>>({});
  useEffect(() => void answer(explained, 'explain', { expression: EXAMPLE }), []);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const { elements } = event.currentTarget as HTMLFormElement;
    const valueOf = (name: string): string => (elements.namedItem(name) as HTMLInputElement).value.trim();
    const timezone = valueOf('timezone');
    const body = { expression: valueOf('expression'), ...(timezone === '' ? {} : { timezone }) };
    void answer(explained, 'explain', body);
  };
  const { value, trouble } = explained.value;
  return (
    <Panel title="What does an expression mean?">
      <form class="try" onSubmit={submit}>
        <input
          name="expression"
          aria-label="Cron expression"
          defaultValue={EXAMPLE}
          required
          maxLength={1000}
        />
        <input
          name="timezone"
          aria-label="Time zone"
          placeholder="zone, e.g. Asia/Shanghai"
          maxLength={100}
        />
        <button type="submit">Explain</button>
      </form>
      <div aria-live="polite">
        {trouble === undefined ? undefined : <pre class="code bad">{trouble}</pre>}
        {value === undefined ? undefined : <Meaning explained={value} />}
      </div>
    </Panel>
  );
}

function Meaning({ explained: { words, timezone, warnings, times } }: { explained: Explained }) {
  return (
    <>
      <p>
        <b>{words}</b> <span class="faint">({timezone})</span>
      </p>
      {warnings.map((warning) => (
        <p key={warning} class="warned">
          {warning}
        </p>
      ))}
      <ol class="list times">
        {times.map(({ at, local, note }) => (
          <li key={at}>
            <time dateTime={at}>{local.replace('T', ' ')}</time>
            {note === null ? undefined : <em>{note}</em>}
          </li>
        ))}
      </ol>
    </>
  );
}

function Validator() {
  const checked = useSignal<Answered<Checked>>({});
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const { elements } = event.currentTarget as HTMLFormElement;
    void answer(checked, 'validate', { text: (elements.namedItem('text') as HTMLTextAreaElement).value });
  };
  const { value, trouble } = checked.value;
  const problems = value === undefined ? [] : [...value.errors, ...value.warnings];
  return (
    <Panel title="Check a job file">
      <form class="try" onSubmit={submit}>
        <textarea
          name="text"
          aria-label="Text of a job file"
          rows={8}
          spellcheck={false}
          placeholder={'jobs:\n  hello:\n    every: 5m\n    run: echo hello'}
        />
        <button type="submit">Check</button>
      </form>
      <div aria-live="polite">
        {trouble === undefined ? undefined : <pre class="code bad">{trouble}</pre>}
        {value !== undefined && problems.length === 0 ? <p>It is right: {value.jobs} jobs.</p> : undefined}
        {value?.plan ? (
          <>
            <p>In place of the job file it would mean:</p>
            <Changes plan={value.plan} />
          </>
        ) : undefined}
        <Problems problems={problems} />
      </div>
    </Panel>
  );
}

function Problems({ problems }: { problems: readonly FileProblem[] }) {
  return (
    <ul class="list">
      {problems.map(({ severity, file, line, column, message, hint, frame }) => (
        <li key={`${file}:${line}:${column} ${message}`} class={severity}>
          <span>
            <code>
              {file.split('/').at(-1)}:{line}:{column}
            </code>{' '}
            {message}
          </span>
          {frame === null ? <span class="faint">{hint}</span> : <pre class="code">{frame}</pre>}
        </li>
      ))}
    </ul>
  );
}
