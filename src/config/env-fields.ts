/** The shape of `env`: a part of the field table. */
import * as is from './scalars.ts';
import { map } from './shape.ts';

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

const from = {
  shape: is.optionalPath,
  about: 'A file whose content is the value; with a leading "?" it may be missing, and the variable too.',
};

export const environment = {
  kind: 'record',
  key: VARIABLE,
  keyIs: 'variable name',
  of: { kind: 'either', scalar: is.withoutNul(is.text), map: map({ from }) },
} as const;
