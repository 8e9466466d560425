import type { LoadedFile } from '../config/load.ts';
import type { ApplySummary } from '../engine/engine.ts';

/** What came of a request to reload. */
export type ReloadResult =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'applied'; readonly summary: ApplySummary; readonly warnings: LoadedFile['warnings'] }
  | { readonly kind: 'kept'; readonly reason: string; readonly problems?: LoadedFile['warnings'] };
