/** Which jobs a job waits for, and which wait for it. */
import { href } from './route.ts';
import { Fact } from './parts.tsx';

export interface Links {
  readonly links: readonly {
    readonly from: string;
    readonly to: string;
    readonly via: 'after' | 'needs';
    readonly on?: string;
    readonly when?: string;
  }[];
}

export function LinkFacts({ id, links }: { id: string } & Links) {
  const wanted = { success: '', failure: ' (failure)', finish: ' (any end)' };
  const names = (via: string, ids: readonly string[], note = '') =>
    ids.length === 0 ? undefined : (
      <Fact name={via}>
        {ids.map((each, index) => (
          <>
            {index === 0 ? '' : ', '}
            <a class="id" href={href('jobs', each)}>
              {each}
            </a>
          </>
        ))}
        {note}
      </Fact>
    );
  const above = links.filter(({ to }) => to === id);
  const after = above.filter(({ via }) => via === 'after');
  const { on = 'success', when } = after[0] ?? {};
  const note = `${wanted[on as keyof typeof wanted]}${when === 'any' && after.length > 1 ? ', the first' : ''}`;
  const below = links.filter(({ from }) => from === id).map(({ to }) => to);
  return (
    <>
      {names(
        'Follows',
        after.map(({ from }) => from),
        note,
      )}
      {names(
        'Needs',
        above.filter(({ via }) => via === 'needs').map(({ from }) => from),
      )}
      {names('Waited for by', below)}
    </>
  );
}
