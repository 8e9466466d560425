/** What an answer comes to, and why there was none, in words. */
import type { HttpTask } from '../http-task.ts';
import type { Outcome } from '../model.ts';

const TRUST = 'name its authority with ca:, or with NODE_EXTRA_CA_CERTS for all of tsched';

/** By the codes of Node, of OpenSSL and of the parser. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was broken off',
  EPIPE: 'the connection was broken off',
  ETIMEDOUT: 'nobody answers there',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  EPROTO: 'it does not speak TLS as we do; is http:// meant?',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  DEPTH_ZERO_SELF_SIGNED_CERT: `its certificate is self-signed: ${TRUST}`,
  SELF_SIGNED_CERT_IN_CHAIN: `its certificate comes from an authority that is not trusted: ${TRUST}`,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: `its certificate comes from an authority that is not trusted: ${TRUST}`,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: `its certificate comes from an authority that is not trusted: ${TRUST}`,
  HPE_HEADER_OVERFLOW: 'the headers of its answer are too long',
};

/** Why there was no answer, or not the whole of it. */
export function reasonOf(error: unknown): string {
  const { message, cause, errors = [] } = error as Error & { readonly errors?: readonly unknown[] };
  // Of what was called off it is a number.
  const code = String((error as { readonly code?: string | number }).code ?? '');
  // A host with several addresses: an error for each.
  if (errors.length > 0) return [...new Set(errors.map(reasonOf))].join('; ');
  if (cause instanceof Error) return reasonOf(cause);
  if (code.startsWith('ERR_SSL_')) return REASONS['EPROTO'] ?? code;
  if (code.startsWith('HPE_') && !(code in REASONS)) return `its answer is no HTTP (${message})`;
  const known = REASONS[code];
  return known === undefined ? message : `${known} (${code})`;
}

export interface Answered {
  readonly status: number;
  /** Why a redirection was not followed. */
  readonly refused: string | undefined;
  /** Where it redirects to, if it does. */
  readonly location: string | undefined;
}

/** What an answer comes to, but for its body. */
export function outcomeOfStatus(task: HttpTask, { status, refused, location }: Answered): Outcome {
  const isExpected = task.expectedStatus.some(([from, to]) => from <= status && status <= to);
  if (isExpected) return { kind: 'succeeded', status };
  if (refused !== undefined) return { kind: 'failed', status, hint: refused };
  if (location !== undefined && !task.followRedirects) {
    return { kind: 'failed', status, hint: `it redirects to ${location}; follow_redirects: true follows` };
  }
  return { kind: 'failed', status, hint: `expected ${expected(task)}` };
}

function expected({ expectedStatus }: HttpTask): string {
  const words = expectedStatus.map(([from, to]) => {
    if (from === to) return String(from);
    return from % 100 === 0 && to === from + 99 ? `${from / 100}xx` : `${from}-${to}`;
  });
  return words.join(', ');
}
