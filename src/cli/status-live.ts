/** What a daemon that runs adds to its status, as it says when it is asked. */
import { fromNow, shortTime } from '../observe/when.ts';
import type { Session } from './session.ts';
import { counted } from './sizes.ts';
import type { Line } from './status-lines.ts';
import type { ToldStatus } from './told.ts';

export function liveAsJson(live: ToldStatus | undefined): object {
  return {
    stopping: live?.stopping ?? null,
    jobs: live?.jobs ?? null,
    waiting: live?.waiting ?? null,
    next: live?.next ?? null,
  };
}

export function liveLines(live: ToldStatus | undefined, { now, hostTimezone }: Session): Line[] {
  if (live === undefined) return [];
  const { stopping, waiting, next, jobs } = live;
  const at = Date.parse(next?.at ?? '');
  const due =
    next === null ? 'nothing' : `${next.jobId} ${fromNow(at, now)} (${shortTime(at, hostTimezone, now)})`;
  return [
    ...(waiting > 0 ? [{ name: 'waiting', text: counted(waiting, 'slot') }] : []),
    ...(jobs.faulted > 0
      ? [{ name: 'faulted', text: counted(jobs.faulted, 'job'), style: 'red' as const }]
      : []),
    stopping
      ? { name: 'next', text: 'nothing: it is stopping', style: 'yellow' }
      : { name: 'next', text: due },
  ];
}
