import type { Instant, Schedule } from '../model.ts';
import type { EngineSettings } from './settings.ts';

/**
 * The slots of a schedule's `startup` triggers that are not decided: `daemon` has one a start of the daemon, `boot` one a boot of the
 * host. In a cluster both have one each time that it came up: whichever of its nodes decides, and was booted when, makes no difference.
 */
export function startupSlots(
  { triggers, start = Number.NEGATIVE_INFINITY, end = Number.POSITIVE_INFINITY }: Schedule,
  settings: Pick<EngineSettings, 'bootedAt' | 'upSince'>,
  { startedAt, decided }: { readonly startedAt: Instant; readonly decided: Instant | undefined },
): readonly Instant[] {
  const { upSince = startedAt, bootedAt } = settings;
  const booted = settings.upSince ?? bootedAt;
  return triggers
    .flatMap((trigger) => (trigger.kind === 'startup' ? [trigger.when === 'boot' ? booted : upSince] : []))
    .filter((slot) => slot >= start && slot <= end && (decided === undefined || slot > decided));
}
