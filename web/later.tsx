/** Views that few look at first: each comes when it is looked at, so that it delays nobody else's first sight of the page. */
import { useSignal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { useEffect } from 'preact/hooks';

const VIEWS = {
  file: async () => (await import('./file.tsx')).FilePage,
  timeline: async () => (await import('./timeline.tsx')).Timeline,
  nodes: async () => (await import('./nodes.tsx')).Nodes,
};

export function Later({ view }: { view: keyof typeof VIEWS }) {
  const shown = useSignal<{ readonly View?: FunctionComponent }>({});
  useEffect(() => {
    VIEWS[view]().then(
      (View) => (shown.value = { View }),
      () => (shown.value = { View: Gone }),
    );
  }, []);
  const { View } = shown.value;
  return View === undefined ? <p class="faint wait">…</p> : <View />;
}

/** A daemon of another version has other files. */
function Gone() {
  return (
    <p class="empty">
      This view could not be loaded.{' '}
      <button type="button" onClick={() => location.reload()}>
        Load the page anew
      </button>
    </p>
  );
}
