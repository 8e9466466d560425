import type { Answer, Refusal } from '../engine/ports-operator.ts';

export function done<T>(value: T): Answer<T> {
  return { ok: true, value };
}

export function refuse(refusal: Refusal): Answer<never> {
  return { ok: false, refusal };
}

export const STOPPING: Refusal = { refused: 'stopping', message: 'tsched is stopping' };
