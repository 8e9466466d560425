/** How a status is told, wherever it comes from. */
import { printable } from '../observe/text.ts';
import { dayTime, rfc3339, roughly } from '../observe/when.ts';
import type { DaemonInfo } from '../store/daemon-file.ts';
import type { Session, Style } from './session.ts';
import { counted } from './sizes.ts';

export interface Line {
  readonly name: string;
  readonly text: string;
  readonly style?: Style;
}

export function linesAsText(lines: readonly Line[], session: Session): string {
  const paint = session.painter('out');
  return lines
    .map(({ name, text, style }) => {
      const told = printable(text);
      return `${paint('dim', name.padEnd(8))} ${style === undefined ? told : paint(style, told)}\n`;
    })
    .join('');
}

interface Told {
  readonly isRunning: boolean;
  readonly daemon: DaemonInfo | undefined;
  readonly state: string;
}

export function daemonLines({ isRunning, daemon, state }: Told, session: Session): Line[] {
  const time = (at: number): string => dayTime(at, session.hostTimezone, session.now);
  if (!isRunning) {
    const last =
      daemon === undefined ? '' : `; the last one started ${time(daemon.startedAt)} (pid ${daemon.pid})`;
    return [{ name: 'daemon', text: `not running in ${state}${last}`, style: 'red' }];
  }
  if (daemon === undefined)
    return [{ name: 'daemon', text: 'running; it says nothing of itself', style: 'green' }];
  const { version, pid, startedAt, file, jobs, loadedAt, fileProblem } = daemon;
  const since = `${roughly(session.now - startedAt)}, since ${time(startedAt)}`;
  const problem: Line[] =
    fileProblem === undefined
      ? []
      : [
          {
            name: '',
            text: `since ${time(fileProblem.since)}: ${fileProblem.message}; see tsched validate`,
            style: 'red',
          },
        ];
  return [
    { name: 'daemon', text: `tsched ${version} running for ${since}   pid ${pid}`, style: 'green' },
    { name: 'file', text: `${file}   ${counted(jobs, 'job')}, loaded ${time(loadedAt)}` },
    ...problem,
  ];
}

export function daemonAsJson({
  pid,
  startedAt,
  version,
  file,
  jobs,
  loadedAt,
  fileProblem,
}: DaemonInfo): object {
  return {
    pid,
    startedAt: rfc3339(startedAt),
    version,
    file,
    jobs,
    loadedAt: rfc3339(loadedAt),
    fileProblem:
      fileProblem === undefined ? null : { since: rfc3339(fileProblem.since), message: fileProblem.message },
  };
}

/** Names that are told; a thousand help nobody. */
const MOST = 10;

export function some(names: readonly string[]): string {
  if (names.length === 0) return '0';
  return `${names.length}   ${names.slice(0, MOST).join(', ')}${names.length > MOST ? ', …' : ''}`;
}
