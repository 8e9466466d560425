/** Asks the daemon that served this page. */
import { signal } from '@preact/signals';
import type { FileProblem, Session } from './model.ts';

/** Undefined: not known yet. Null: nobody is logged in. */
export const session = signal<Session | null | undefined>(undefined);

/** By how much the daemon's clock is ahead of this machine's. Milliseconds; 0 while they agree within two seconds. */
export let ahead = 0;

interface Refused {
  readonly detail?: string;
  readonly hint?: string;
  readonly errors?: readonly FileProblem[];
}

/** Why it was not answered as asked. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly hint: string;
  /** Of a job file. */
  readonly problems: readonly FileProblem[];

  constructor(status: number, { detail = '', hint = '', errors = [] }: Refused) {
    super(detail === '' ? `the daemon answered ${status}` : detail);
    this.status = status;
    this.hint = hint;
    this.problems = errors;
  }
}

export interface Wanted {
  readonly method?: 'POST' | 'DELETE';
  readonly body?: object;
}

/** @throws ApiProblem; TypeError when the daemon cannot be reached */
export async function ask<T>(path: string, { method, body }: Wanted = {}): Promise<T> {
  const response = await fetch(`/api/v1/${path}`, {
    method: method ?? 'GET',
    credentials: 'same-origin',
    headers: { 'tsched-page': '1', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  keepTime(response.headers.get('date'));
  const told = (await response.json()) as Refused;
  if (response.ok) return told as T;
  if (response.status === 401) session.value = null;
  throw new ApiProblem(response.status, told);
}

function keepTime(date: string | null): void {
  if (date === null) return;
  const difference = Date.parse(date) + 500 - Date.now();
  ahead = Math.abs(difference) > 2000 ? difference : 0;
}

export async function lookForSession(): Promise<void> {
  session.value = await ask<Session>('session');
}

export async function logIn(token: string): Promise<void> {
  session.value = await ask<Session>('session', { method: 'POST', body: { token } });
}

export async function logOut(): Promise<void> {
  await ask('session', { method: 'DELETE' });
  session.value = null;
}

export function mayRun(): boolean {
  return session.value?.scope === 'run' || session.value?.scope === 'admin';
}

/** Of a path segment. */
export const segment = encodeURIComponent;
