/** The composition root of a node of a cluster. */
import type { AppOptions, DaemonApp } from './app-options.ts';

/** Makes a node of the cluster that `options.store` names; nothing runs yet. */
export async function createClusterApp(options: AppOptions): Promise<DaemonApp> {
  await Promise.resolve();
  throw new Error(`not composed yet: ${options.store?.nodeName ?? ''}`);
}
