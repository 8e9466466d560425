/** The conductor's part in publishing a job file. Part of the composition. */
import type { AppOptions } from './app-options.ts';
import type { JobFiles } from './cluster/files.ts';
import type { Published, PublishRequest } from './engine/ports-cluster.ts';
import type { Answer, Refusal } from './engine/ports-operator.ts';
import { FileUnread, loadJobFile, type FileSource, type GivenFile, type JobLoading } from './job-loading.ts';
import type { DaemonOperator } from './operator.ts';
import { badFile, done, refuse } from './operator/answers.ts';
import { NOTHING } from './operator/reload-plan.ts';
import { DatabaseAway } from './postgres/database.ts';

export interface PublishingParts {
  readonly files: JobFiles;
  /** Name of this node. */
  readonly node: string;
  /** Undefined: it does not conduct. */
  readonly term: () => number | undefined;
  readonly loading: Pick<JobLoading, 'check'>;
  readonly operator: Pick<DaemonOperator, 'reload' | 'plan'>;
}

/** What a node decides over that conducts when nothing was ever published, and has no copy that is good. */
export const NO_JOBS: GivenFile = {
  documents: [{ path: 'jobs.yaml', text: 'jobs: {}\n' }],
  directory: '/',
};

/**
 * In place of what decides, for a conductor that has not begun to: a first version has to be there before its jobs are armed, so that
 * what runs at a start does.
 */
export function undecided(options: AppOptions): Pick<PublishingParts, 'loading' | 'operator'> {
  return {
    loading: { check: (given) => loadJobFile(options, { given, tests: true }) },
    operator: {
      reload: () => Promise.resolve(done({ ...NOTHING, kind: 'applied', unchanged: 0 })),
      plan: () => Promise.resolve({ ...NOTHING, unchanged: 0 }),
    },
  };
}

const ELSEWHERE: Refusal = {
  refused: 'cluster_away',
  message: 'this node does not conduct any more',
  hint: 'ask again in some seconds',
};

/** Checks a job file, makes it the version in force, and puts it in place of the loaded set. */
export async function publishFile(
  parts: PublishingParts,
  request: PublishRequest,
): Promise<Answer<Published>> {
  const { files, node, loading, operator } = parts;
  const term = parts.term();
  if (term === undefined) return refuse(ELSEWHERE);
  if (request.dryRun === true) return planned(parts, request);
  const check = async (): Promise<Refusal | undefined> => {
    const result = await loading.check(request);
    return result.ok ? undefined : badFile(result);
  };
  const result = await published(() => files.publish(request, { term, node, check }));
  if (result.kind === 'refused') return refuse(result.why);
  if (result.kind === 'deposed') return refuse(ELSEWHERE);
  const { kind, version } = result;
  // The same text may mean something else by now: its env files, and variables, are read again.
  const by = kind === 'published' ? `${request.by}, by publishing version ${version},` : request.by;
  const applied = await operator.reload({ dryRun: false, by });
  return applied.ok ? done({ version, changed: kind === 'published', plan: applied.value }) : applied;
}

/** What it would change. */
async function planned(
  { files, loading, operator }: PublishingParts,
  request: PublishRequest,
): Promise<Answer<Published>> {
  const result = await loading.check(request);
  if (!result.ok) return refuse(badFile(result));
  const edition = await published(() => files.following(request));
  if (edition.kind === 'refused') return refuse(edition.why);
  const { kind, version } = edition;
  return done({ version, changed: kind === 'published', plan: await operator.plan(result.file) });
}

async function published<R extends { readonly kind: string }>(
  publish: () => Promise<R>,
): Promise<R | { readonly kind: 'refused'; readonly why: Refusal }> {
  try {
    return await publish();
  } catch (error) {
    if (!(error instanceof DatabaseAway)) throw error;
    const hint = 'ask again when it is back: what may have been published then is not published twice';
    return { kind: 'refused', why: { refused: 'cluster_away', message: error.message, hint } };
  }
}

/** What is in force, for a node that decides; its own disk where nothing was ever published. */
export function publishedFile(files: Pick<JobFiles, 'current'>): FileSource {
  return {
    read: async () => {
      try {
        return await files.current();
      } catch (error) {
        if (!(error instanceof DatabaseAway)) throw error;
        throw new FileUnread(`the published job file cannot be read: ${error.message}`);
      }
    },
  };
}
