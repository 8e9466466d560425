import { useSignal } from '@preact/signals';
import { ApiProblem, logIn } from './api.ts';

/** Asks for a token. It goes into the body of one request, and never into an address or the page's storage. */
export function Login() {
  const trouble = useSignal('');
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const token = (form.elements.namedItem('token') as HTMLInputElement).value.trim();
    try {
      await logIn(token);
    } catch (error) {
      trouble.value = error instanceof ApiProblem ? error.message : 'the daemon cannot be reached';
    }
  };
  return (
    <main class="login">
      <form onSubmit={(event) => void submit(event)}>
        <h1>
          <img src={icon()} alt="" width="28" height="28" /> tsched
        </h1>
        <label for="token">Token</label>
        <input
          id="token"
          name="token"
          type="password"
          autocomplete="current-password"
          required
          autofocus
          spellcheck={false}
          aria-describedby="how trouble"
        />
        <p id="trouble" class="trouble" role="alert">
          {trouble}
        </p>
        <button type="submit" class="primary">
          Log in
        </button>
        <p id="how" class="faint">
          Make a token where the daemon runs: <code>tsched token create me --scope run</code>. With{' '}
          <code>--scope read</code> the page shows everything and changes nothing.
        </p>
      </form>
    </main>
  );
}

/** The one the shell names: its name holds a hash. */
export function icon(): string {
  return document.querySelector<HTMLLinkElement>('link[rel=icon]')?.href ?? '';
}
