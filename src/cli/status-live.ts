/** What a daemon that runs adds to its status, as it says when it is asked. */
import { fromNow, shortTime } from '../observe/when.ts';
import type { Session } from './session.ts';
import { counted } from './sizes.ts';
import { some, type Line } from './status-lines.ts';
import type { ToldPool, ToldStatus } from './told.ts';

/** What it says of itself, with the limits that its runs share. */
export type LiveStatus = ToldStatus & { readonly pools: readonly ToldPool[] };

export function liveAsJson(live: LiveStatus | undefined): object {
  return {
    stopping: live?.stopping ?? null,
    jobs: live?.jobs ?? null,
    waiting: live?.waiting ?? null,
    next: live?.next ?? null,
    pools: live?.pools ?? null,
  };
}

export function liveLines(live: LiveStatus | undefined, { now, hostTimezone }: Session): Line[] {
  if (live === undefined) return [];
  const { node, via, stopping, waiting, next, jobs, pools } = live;
  const at = Date.parse(next?.at ?? '');
  const due =
    next === null ? 'nothing' : `${next.jobId} ${fromNow(at, now)} (${shortTime(at, hostTimezone, now)})`;
  const asked = typeof via === 'string' ? `; ${via} was asked` : '';
  return [
    ...(typeof node === 'string'
      ? [{ name: 'cluster', text: `${node} conducts${asked}; see tsched nodes` }]
      : []),
    ...(waiting > 0 ? [{ name: 'waiting', text: counted(waiting, 'slot') }] : []),
    ...poolLines(pools),
    ...(jobs.faulted > 0
      ? [{ name: 'faulted', text: counted(jobs.faulted, 'job'), style: 'red' as const }]
      : []),
    stopping
      ? { name: 'next', text: 'nothing: it is stopping', style: 'yellow' }
      : { name: 'next', text: due },
  ];
}

/** Pools that are told; whoever has more asks the API. */
const MOST_POOLS = 20;

/** Pools that somebody has or wants, and the daemon's own bounds where somebody waits for them. */
function poolLines(pools: readonly ToldPool[]): Line[] {
  const told = pools.filter(({ name, used, waiting }) => waiting > 0 || (used > 0 && !name.startsWith('_')));
  return told.slice(0, MOST_POOLS).map(({ name, slots, used, waiting, holders }, index): Line => {
    const line = waiting === 0 ? '' : `, ${waiting} waiting`;
    const ids = [...new Set(holders.map(({ jobId }) => jobId))];
    const held = ids.length === 0 ? '' : `   held by ${some(ids).replace(/^\d+ +/, '')}`;
    return { name: index === 0 ? 'pools' : '', text: `${name} ${used}/${slots}${line}${held}` };
  });
}
