import type { Duration } from '../model.ts';

/** A receiver that did not take a message. Not yet free of secrets. */
export class Undelivered extends Error {
  override readonly name = 'Undelivered';
  /** It would never take this one, so it is not tried again. */
  readonly final: boolean;

  constructor(message: string, { final = false }: { readonly final?: boolean } = {}) {
    super(message);
    this.final = final;
  }
}

/** How long an answer may take. Milliseconds. */
export const PATIENCE: Duration = 10_000;

/** What is wrong with the message, not with where it goes: 400, 413, 422. */
const FINAL: ReadonlySet<number> = new Set([400, 413, 422]);

/**
 * A POST request. Redirections are not followed: a secret would go where nobody meant it to.
 * @throws Undelivered
 */
export async function post(
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      body,
      headers: { 'user-agent': 'tsched', ...headers },
      redirect: 'manual',
      signal: AbortSignal.timeout(PATIENCE),
    });
    await response.body?.cancel();
  } catch (error) {
    throw new Undelivered(reasonOf(error));
  }
  const { status, ok } = response;
  if (ok) return;
  const moved = status >= 300 && status < 400 ? ', a redirection, which is not followed' : '';
  throw new Undelivered(`it answered ${status}${moved}`, { final: FINAL.has(status) });
}

function reasonOf(error: unknown): string {
  const { name, message, cause } = error as Error;
  if (name === 'TimeoutError') return `no answer within ${PATIENCE / 1000} s`;
  if (!(cause instanceof Error)) return message;
  // An address with several numbers: one error for each.
  const causes = cause instanceof AggregateError ? (cause.errors as readonly Error[]) : [cause];
  return causes.map((each) => each.message).join('; ') || message;
}
