import { createToken, readTokens, revokeToken, TokenTrouble, type TokenScope } from '../http/tokens.ts';
import { printable, printableJson } from '../observe/text.ts';
import { suggest } from '../schedule/suggest.ts';
import { statePaths } from '../store/state-directory.ts';
import { exit, Failure } from './exit.ts';
import type { Session } from './session.ts';
import { stateDirectory } from './state-directory.ts';
import { table } from './table.ts';
import { rfc3339 } from '../observe/when.ts';

export interface TokenOptions {
  readonly scope: TokenScope;
  readonly stateDir?: string;
  readonly json?: boolean;
}

export interface TokenRequest {
  readonly action: string;
  readonly name: string | undefined;
}

const ACTIONS = ['create', 'list', 'revoke'];

/** Makes, lists or revokes tokens. Gives the exit code. */
export function token({ action, name }: TokenRequest, options: TokenOptions, session: Session): number {
  const path = statePaths(stateDirectory(options.stateDir, session.environment)).tokens;
  try {
    if (action === 'list') return list(path, options, session);
    if (action === 'create') return create({ path, name: nameOf(name) }, options, session);
    if (action === 'revoke') return revoke({ path, name: nameOf(name) }, options, session);
  } catch (error) {
    throw explained(error);
  }
  const near = suggest(action, ACTIONS);
  const hint = near === undefined ? `write one of ${ACTIONS.join(', ')}` : `did you mean "${near}"?`;
  throw new Failure(exit.usage, `"${printable(action)}" is nothing that can be done with tokens`, hint);
}

interface Named {
  readonly path: string;
  readonly name: string;
}

function create({ path, name }: Named, { scope, json }: TokenOptions, session: Session): number {
  const secret = createToken(path, { name, scope, now: session.now });
  session.out(json === true ? `${printableJson({ name, scope, token: secret })}\n` : `${secret}\n`);
  session.err(`token "${name}" with scope ${scope}; it is not shown again\n`);
  return exit.ok;
}

function list(path: string, { json }: TokenOptions, session: Session): number {
  const tokens = readTokens(path).map(({ name, scope, createdAt }) => ({
    name,
    scope,
    createdAt: rfc3339(createdAt),
  }));
  if (json === true) {
    session.out(`${printableJson({ tokens })}\n`);
    return exit.ok;
  }
  const rows = tokens.map(({ name, scope, createdAt }) => [
    { text: printable(name), style: 'bold' as const },
    { text: scope },
    { text: createdAt },
  ]);
  session.out(
    rows.length === 0 ? 'No tokens.\n' : table(['NAME', 'SCOPE', 'CREATED'], rows, session.painter('out')),
  );
  return exit.ok;
}

function revoke({ path, name }: Named, { json }: TokenOptions, session: Session): number {
  if (!revokeToken(path, name, session.now)) {
    throw new Failure(exit.usage, `there is no token "${printable(name)}"`, 'tsched token list shows them');
  }
  if (json === true) session.out(`${printableJson({ revoked: name })}\n`);
  session.err(`token "${printable(name)}" is revoked\n`);
  return exit.ok;
}

function nameOf(name: string | undefined): string {
  if (name === undefined)
    throw new Failure(exit.usage, 'the name of the token is missing', 'e.g. tsched token create grafana');
  if (/^[\w.@-]{1,64}$/.test(name)) return name;
  const hint = 'use up to 64 letters, digits and . _ @ -';
  throw new Failure(exit.usage, `"${printable(name)}" cannot be the name of a token`, hint);
}

function explained(error: unknown): unknown {
  if (error instanceof TokenTrouble) return new Failure(exit.cannotCreate, printable(error.message));
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT')
    return new Failure(
      exit.noInput,
      'there is no state directory',
      'start tsched once, or name it with --state-dir',
    );
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new Failure(exit.notAllowed, `the tokens cannot be changed: ${printable(message)}`);
  }
  return error;
}
