/** The keys by which people hear of jobs: a part of the field table. */
import * as address from './addresses.ts';
import * as is from './scalars.ts';
import { list, map, oneOrMany, type Field, type Fields, type MapShape } from './shape.ts';

const told = (what: string): Field => ({ shape: oneOrMany(is.word), about: `Notifiers told ${what}` });

export const notify: MapShape = map(
  {
    to: told('of failures, recoveries and lateness; `none` for nobody.'),
    failure: told('instead of `to`: when runs begin to fail.'),
    recovery: told('instead of `to`: when one succeeds again.'),
    late: told('instead of `to`: when what `expect` says does not come true.'),
    missed: told('when slots become no runs (misfire, overlap, limit): at the first, not at each.'),
    success: told('of each success.'),
    after: {
      shape: is.integer(1, 1_000_000),
      about: 'Failures in a row before the first is told.',
      default: 1,
    },
  },
  'to',
);

export const ping: MapShape = map(
  {
    url: {
      shape: address.webAddress,
      about:
        'Address of the check; /start, the exit code or /fail, and rid= are added. It never appears in the log.',
    },
    start: { shape: is.flag, about: 'Whether starts are told too.', default: true },
    output: { shape: is.flag, about: 'Whether the last 10 kB of output are sent along.', default: true },
  },
  'url',
);

export const expect = map({
  duration: { shape: is.duration(1000), about: 'A run that takes longer is late.' },
  finished_by: {
    shape: is.timeOfDay,
    about: "Time of day in the job's zone by which what fell due since the day before has succeeded.",
    examples: ['06:00'],
  },
  every: { shape: is.duration(1000), about: 'When no run has succeeded for this long, the job is late.' },
});

const mail: MapShape = map(
  {
    to: { shape: oneOrMany(address.mailAddress), about: 'Who gets it.' },
    from: { shape: address.mailAddress, about: 'Sender. Default: tsched at this host.' },
    smtp: {
      shape: address.smtpAddress,
      about: 'The mail server: smtp://user:password@host:587, smtps:// for TLS from the first byte.',
      default: 'smtp://127.0.0.1:25',
    },
  },
  'to',
);

/** The keys of one notifier. */
export const NOTIFIER_FIELDS = {
  digest: {
    shape: is.integer(0, 1000),
    about:
      'More messages than this within a minute come as one that names all their jobs: a network that fails is one piece of news. 0: each comes alone.',
    default: 10,
  },
  mail: { shape: mail, about: 'Tells by mail. Addresses alone are `to`.' },
  webhook: {
    shape: address.webAddress,
    about: 'Tells by a POST request to this address, which is a secret.',
  },
  format: {
    shape: is.choice('json', 'slack', 'discord', 'teams', 'ntfy'),
    about: 'Body of the request.',
    default: 'json',
  },
  secret: {
    shape: address.secret,
    about: 'Signs the body: X-Tsched-Signature is sha256= and its HMAC-SHA256 in hexadecimal digits.',
  },
  headers: {
    shape: {
      kind: 'record',
      key: /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/,
      keyIs: 'header name',
      of: address.headerValue,
    },
    about: 'Further headers of the request, such as Authorization.',
  },
  command: {
    shape: list(is.argument, 'write [ program, argument ]'),
    about:
      'Tells by running this program, with the message as JSON on standard input and TSCHED_SUBJECT and TSCHED_TEXT in its environment.',
  },
} as const satisfies Fields;

/** A notifier's name. */
export const NOTIFIER = /^(?!none$)[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
