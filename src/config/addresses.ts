/** Kinds of single values by which people are told: addresses and secrets. */
import { textual } from './scalars.ts';
import type { JsonSchema, ScalarType } from './shape.ts';

/** Written where it is used: setting up such a pattern takes a while. */
const hasControls = (text: string): boolean => /\p{Cc}/u.test(text);

/** Text that no diagnostic and no code frame repeats. */
function secretive(
  expects: string,
  schema: JsonSchema,
  problemOf: (value: string) => string | undefined,
): ScalarType {
  const type = textual(expects, schema, (value, input) => {
    const message = problemOf(value);
    return message === undefined ? value : input.error({ message });
  });
  return {
    ...type,
    secret: true,
    read: (input) =>
      typeof input.value === 'string'
        ? type.read(input)
        : input.error({ message: `expected ${expects}`, hint: 'quote it' }),
  };
}

export const secret: ScalarType = secretive('text', { minLength: 1 }, (value) =>
  value.trim() === '' ? 'must not be empty' : undefined,
);

export const headerValue: ScalarType = secretive('text', { minLength: 1 }, (value) => {
  if (value.trim() === '') return 'must not be empty';
  return /^[\t\x20-\x7e]*$/.test(value) ? undefined : 'a header holds printable ASCII on one line';
});

export const webAddress: ScalarType = secretive(
  'an address such as https://example.com/hook',
  { pattern: '^https?://' },
  (value) =>
    addressOf(value, ['http:', 'https:']) === undefined
      ? 'expected an address such as https://example.com/hook'
      : undefined,
);

export const smtpAddress: ScalarType = secretive(
  'an address such as smtp://user:password@host:587',
  { pattern: '^smtps?://' },
  (value) =>
    addressOf(value, ['smtp:', 'smtps:']) === undefined
      ? 'expected an address such as smtp://user:password@host:587; "@", ":" and "/" in user and password are written %40, %3A and %2F'
      : undefined,
);

function addressOf(value: string, protocols: readonly string[]): URL | undefined {
  if (hasControls(value) || value.includes(' ')) return undefined;
  const url = URL.parse(value);
  return url !== null && url.hostname !== '' && protocols.includes(url.protocol) ? url : undefined;
}

export const mailAddress: ScalarType = textual('a mail address', { pattern: '@' }, (value, input) =>
  /^[^\s@<>,;:"()[\]\\]+@[^\s@<>,;:"()[\]\\]+$/u.test(value) && !hasControls(value)
    ? value
    : input.error({
        message: `expected a mail address, got "${value}"`,
        hint: 'write e.g. ops@example.com, without a name',
      }),
);
