/** What a job takes from those who ask for a run of it, as data. Imports nothing. */

export type ParameterType = 'string' | 'integer' | 'number' | 'boolean';

export type ParameterValue = string | number | boolean;

/** One declared parameter: the part of JSON Schema that a person writes into a job file. */
export interface Parameter {
  readonly type: ParameterType;
  readonly description?: string;
  /** What a run has that was given none: every scheduled one. */
  readonly default?: ParameterValue;
  /** A run by hand has to be given it. */
  readonly required: boolean;
  readonly enum?: readonly ParameterValue[];
  readonly minimum?: number;
  readonly maximum?: number;
  /** A regular expression that a part of a text must match, as in JSON Schema. */
  readonly pattern?: string;
}

export type Parameters = Readonly<Record<string, Parameter>>;
