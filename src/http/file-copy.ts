/** A job file with its includes in the body of a request: from a person, or as one node passes its copy on to another. */
import type { ClusterOperator, FileCopy } from '../engine/ports-cluster.ts';
import type { NodeOperator } from '../engine/ports-operator.ts';
import { optional, text, zone, type Field } from './fields.ts';
import { HttpProblem } from './problem.ts';

/** @throws HttpProblem where there is none */
export function clusterOf({ cluster }: Pick<NodeOperator, 'cluster'>): ClusterOperator {
  if (cluster !== undefined) return cluster;
  throw new HttpProblem('no_cluster', 'this daemon is alone: it was started without --store postgres://', {
    hint: 'see "more than one machine" in the README',
  });
}

const MOST_DOCUMENTS = 1000;
/** A set of 100,000 jobs; what one node passes on to another may be as long. */
export const LONGEST_SET = 16 * 1024 * 1024;
const LONGEST_PATH = 4096;

function documents(about: string): Field<FileCopy['documents']> {
  const document = {
    type: 'object',
    properties: { path: { type: 'string', maxLength: LONGEST_PATH }, text: { type: 'string' } },
    required: ['path', 'text'],
    additionalProperties: false,
  };
  return {
    schema: { type: 'array', items: document, minItems: 1, maxItems: MOST_DOCUMENTS },
    about,
    required: true,
    read(value) {
      const isGood = Array.isArray(value) && value.length > 0 && value.length <= MOST_DOCUMENTS;
      if (isGood && value.every(isDocument)) return value.map(({ path, text }) => ({ path, text }));
      throw new HttpProblem(
        'bad_body',
        `"documents" takes 1 to ${MOST_DOCUMENTS} of {"path": "…", "text": "…"}`,
      );
    },
  };
}

function isDocument(value: unknown): value is { readonly path: string; readonly text: string } {
  if (typeof value !== 'object' || value === null) return false;
  const { path, text, ...rest } = value as Readonly<Record<string, unknown>>;
  const isPath = typeof path === 'string' && path !== '' && path.length <= LONGEST_PATH;
  return isPath && typeof text === 'string' && Object.keys(rest).length === 0;
}

export const copyFields = {
  documents: documents('The job file, then what it includes; paths as the publisher has them'),
  directory: text('What relative paths in it are relative to; absolute', LONGEST_PATH),
  timezone: optional(zone('Of the machine it is from: what jobs go by that name none')),
};

/** @throws HttpProblem where only half of it is there, or the directory is relative */
export function copyIn({
  documents: given,
  directory,
  timezone,
}: {
  readonly [Name in keyof FileCopy]: FileCopy[Name] | undefined;
}): FileCopy {
  if (given === undefined || directory === undefined)
    throw new HttpProblem('bad_body', '"documents" and "directory" belong together');
  if (directory.startsWith('/')) return { documents: given, directory, ...(timezone && { timezone }) };
  throw new HttpProblem('bad_body', '"directory" takes an absolute path');
}
