/** What is asked before something is done. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { asking, pause, reasonOf, runWith } from './actions.ts';
import { ask, segment } from './api.ts';
import type { JobDetail, Params } from './model.ts';
import { jobs } from './state.ts';

export function Dialogs() {
  const { what, id } = asking.value ?? {};
  if (id === undefined) return undefined;
  return what === 'pause' ? <Pause id={id} /> : <RunWith key={id} id={id} />;
}

function close(): void {
  asking.value = undefined;
}

interface Asked {
  readonly title: string;
  readonly verb: string;
  /** With what stands in the fields, by their names. */
  readonly onSubmit: (given: (name: string) => string) => void;
  readonly children: ComponentChildren;
}

function Dialog({ title, verb, onSubmit, children }: Asked) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    onSubmit((name) => (given.get(name) as string).trim());
  };
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="dialog-title">
      <form onSubmit={submit}>
        <h2 id="dialog-title">{title}</h2>
        {children}
        <div class="buttons">
          <button type="button" onClick={close}>
            Back
          </button>
          <button type="submit" class="primary">
            {verb}
          </button>
        </div>
      </form>
    </dialog>
  );
}

function Pause({ id }: { id: string }) {
  const submit = (given: (name: string) => string): void => {
    void pause(id, { reason: given('reason'), time: given('time') });
    close();
  };
  return (
    <Dialog title={`Pause ${id}`} verb="Pause" onSubmit={submit}>
      <p class="faint">Its due times are skipped until it is resumed. What runs now goes on.</p>
      <label for="time">For how long</label>
      <select id="time" name="time">
        <option value="">until somebody resumes it</option>
        <option value="1h">an hour</option>
        <option value="8h">eight hours</option>
        <option value="1d">a day</option>
        <option value="7d">a week</option>
      </select>
      <label for="reason">Why</label>
      <input id="reason" name="reason" maxLength={500} placeholder="optional, for others" />
    </Dialog>
  );
}

function RunWith({ id }: { id: string }) {
  const trouble = useSignal('');
  const names = useSignal<readonly string[]>([]);
  const params = jobs.value.get(id)?.params;
  useEffect(() => {
    ask<JobDetail>(`jobs/${segment(id)}`).then(
      ({ definition }) => (names.value = definition.task.with ?? []),
      () => undefined, // it is only a help
    );
  }, []);
  const submit = async (given: (name: string) => string): Promise<void> => {
    const text = given('with');
    trouble.value = problemOf(text);
    if (trouble.value !== '') return document.getElementById('with')?.focus();
    try {
      await runWith(id, JSON.parse(text) as object);
      close();
    } catch (error) {
      trouble.value = reasonOf(error);
    }
  };
  return (
    <Dialog title={`Run ${id} with`} verb="Run now" onSubmit={(given) => void submit(given)}>
      <label for="with">Arguments, as JSON</label>
      <textarea
        id="with"
        name="with"
        rows={6}
        spellcheck={false}
        aria-describedby="with-about with-trouble"
        aria-invalid={trouble.value !== ''}
        onInput={({ currentTarget }) => (trouble.value = problemOf(currentTarget.value))}
      >
        {draftOf(params ?? undefined)}
      </textarea>
      <p id="with-trouble" class="trouble" role="alert">
        {trouble.value}
      </p>
      {Object.entries(params?.properties ?? {}).map(
        ([name, { type, description = '', enum: words = [] }]) => (
          <p key={name} class="faint">
            <code>{name}</code> {[type, ...words].join(', ')} {description}
          </p>
        ),
      )}
      <p id="with-about" class="faint">
        Each is <code>TSCHED_WITH_NAME</code> in the environment; a module finds it in its <code>with</code>
        {names.value.length === 0
          ? '.'
          : `, beside or instead of what its job gives it: ${names.value.join(', ')}.`}
      </p>
    </Dialog>
  );
}

/** What is there to begin with: defaults, and gaps where something is missing. */
function draftOf({ properties, required = [] }: Params = { properties: {} }): string {
  const known = Object.entries(properties).filter(
    ([name, each]) => each.default !== undefined || required.includes(name),
  );
  const draft = known.map(([name, each]) => [name, each.default ?? null] as const);
  return draft.length === 0 ? '{\n  \n}' : JSON.stringify(Object.fromEntries(draft), undefined, 2);
}

/** What keeps a text from being arguments, while it is written; what names may be, the daemon says. */
function problemOf(text: string): string {
  try {
    const given: unknown = JSON.parse(text);
    const isObject = typeof given === 'object' && given !== null && !Array.isArray(given);
    return isObject ? '' : 'Write values by name, e.g. {"since": "2027-01-31"}';
  } catch (error) {
    return (error as Error).message;
  }
}
