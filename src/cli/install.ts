import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { printable } from '../observe/text.ts';
import { exit, Failure } from './exit.ts';
import type { Environment, Session } from './session.ts';
import { unitText, type UnitOptions } from './unit.ts';

export interface InstallOptions {
  readonly user?: boolean;
  readonly file?: string;
  readonly runAs?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

/** Writes the systemd unit, never over one that says something else, and says what to run next. */
export function install(options: InstallOptions, session: Session): void {
  const ofUser = options.user === true;
  const { runAs } = options;
  if (ofUser && runAs !== undefined)
    throw new Failure(exit.usage, 'a unit of --user runs as that user', 'leave out --run-as');
  if (runAs !== undefined && !/^[a-z_][\w-]*$/i.test(runAs))
    throw new Failure(exit.usage, `"${printable(runAs)}" is no name of a user`);
  const directory = configDirectory(ofUser, session.environment);
  const file = resolve(options.file ?? join(directory, 'tsched/jobs.yaml'));
  const paths = { file, node: process.execPath, tsched: realpathSync(process.argv[1] ?? '') };
  for (const path of Object.values(paths)) refuseUnreachable(path, { ofUser, runAs });
  const text = unitText({ ...paths, ofUser, runAs });
  const place = join(directory, `systemd/${ofUser ? 'user' : 'system'}/tsched.service`);
  if (options.dryRun === true) {
    session.out(text);
    return;
  }
  const { isNew } = write(place, text, options.force === true);
  tellNext({ place, isNew, file, ofUser }, session);
}

/** /etc, or what the user has in its place: file-hierarchy(7), systemd.unit(5). */
function configDirectory(ofUser: boolean, { XDG_CONFIG_HOME, HOME }: Environment): string {
  if (!ofUser) return '/etc';
  if (XDG_CONFIG_HOME?.startsWith('/') === true) return XDG_CONFIG_HOME;
  if (HOME !== undefined && HOME !== '') return join(HOME, '.config');
  throw new Failure(exit.usage, 'there is no HOME to write a unit of --user to', 'set HOME');
}

/** The service would end before it began, with a message that names none of this. */
function refuseUnreachable(path: string, { ofUser, runAs }: Pick<UnitOptions, 'ofUser' | 'runAs'>): void {
  if (/[\n\r]/.test(path))
    throw new Failure(exit.usage, `${printable(path)} has a line break in its name, which no unit can have`);
  if (!ofUser && /^\/(?:var\/)?tmp\//.test(path)) {
    const text = `${printable(path)} is where the service cannot see it: it has a /tmp of its own`;
    throw new Failure(exit.usage, text, 'put it elsewhere');
  }
  if (runAs !== undefined && runAs !== 'root' && path.startsWith('/root/')) {
    const text = `${printable(path)} is where ${runAs} cannot read it`;
    throw new Failure(exit.usage, text, 'install it for all, e.g. below /opt, or leave out --run-as');
  }
}

function write(place: string, text: string, force: boolean): { isNew: boolean } {
  try {
    const present = existsSync(place) ? readFileSync(place, 'utf8') : undefined;
    if (present === text) return { isNew: false };
    if (present !== undefined && !force) {
      const hint =
        'keep changes in a drop-in (systemctl edit tsched), then overwrite it: tsched install --force';
      throw new Failure(
        exit.cannotCreate,
        `${printable(place)} says something else and is left as it is`,
        hint,
      );
    }
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, text);
    return { isNew: true };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (error instanceof Failure || code === undefined) throw error;
    const forbidden = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
    const hint = forbidden ? 'run it as root, or for this user alone: tsched install --user' : undefined;
    const text = `cannot write ${printable(place)}: ${printable(message)}`;
    throw new Failure(forbidden ? exit.notAllowed : exit.cannotCreate, text, hint);
  }
}

interface Written extends Pick<UnitOptions, 'file' | 'ofUser'> {
  readonly place: string;
  readonly isNew: boolean;
}

function tellNext({ place, isNew, file, ofUser }: Written, session: Session): void {
  const control = ofUser ? 'systemctl --user' : 'systemctl';
  const journal = ofUser ? 'journalctl --user-unit' : 'journalctl -u';
  const jobs = printable(file);
  const steps = [
    existsSync(file)
      ? ['check the jobs', `tsched validate ${jobs}`]
      : ['write the jobs', `mkdir -p ${dirname(jobs)} && tsched init ${jobs}`],
    ['start it', `${control} daemon-reload && ${control} enable --now tsched`],
    ...(ofUser ? [['keep it when you log out', 'loginctl enable-linger']] : []),
    ['see it', `${control} status tsched`],
    ['read its log', `${journal} tsched -f`],
  ];
  const width = Math.max(...steps.map(([what = '']) => what.length));
  const lines = steps.map(([what = '', how = '']) => `  ${what.padEnd(width)}  ${how}\n`);
  const done = isNew ? `wrote ${printable(place)}` : `${printable(place)} is there already, just so`;
  session.out(`${session.painter('out')('green', '✔')} ${done}\n${lines.join('')}`);
}
