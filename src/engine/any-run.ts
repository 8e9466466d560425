import type { ActiveRun } from './run.ts';

/** A run, whole or in parts, as the engine sees it. */
export type AnyRun<Turn> = Omit<ActiveRun<Turn>, 'letIn' | 'giveUp' | 'take'>;
