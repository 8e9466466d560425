/** A node's terms, one after another: what is done when one begins, and when it is over. Part of the composition, beside cluster-app.ts. */
import type { AppOptions } from './app-options.ts';
import { ClusterTerm, FileUnfit, type TermParts } from './cluster-term.ts';
import { Deposed } from './postgres/fence.ts';
import type { Membership, Term as GivenTerm } from './cluster/membership.ts';
import type { OwnFile } from './cluster/own-file.ts';
import { systemClock } from './engine/clock.ts';
import type { Duration } from './model.ts';
import { DatabaseAway } from './postgres/database.ts';
import type { Outlook } from './observe/service-manager.ts';
import type { StoreHealth } from './store/batching.ts';

export interface ConductingParts extends Omit<TermParts, 'term' | 'contactFor' | 'onDeposed' | 'onHealth'> {
  readonly options: AppOptions;
  readonly membership: Pick<Membership, 'node' | 'nodes' | 'resign' | 'contactFor'>;
  readonly ownFile: () => OwnFile;
  /** Its jobs are armed. */
  readonly onBegun: (term: ClusterTerm) => void;
  readonly onBug: (error: unknown) => void;
}

/** Between two tries to begin a term; where the job file has errors here. */
const AGAIN: Duration = 1000;
const UNFIT: Duration = 30_000;
/** How long others have to conduct in the place of a node that cannot load the job file. */
const PASSED_ON: Duration = 5000;

export class Conducting {
  readonly #parts: ConductingParts;
  #term: ClusterTerm | undefined;
  #hasPassedOn = false;
  #callOff: (() => void) | undefined;

  constructor(parts: ConductingParts) {
    this.#parts = parts;
  }

  /** While this node conducts. */
  get term(): ClusterTerm | undefined {
    return this.#term;
  }

  /** What this node is about to do; in words while another one decides, or nobody does yet. */
  outlook(): Outlook | string {
    const { deciding } = this.#term ?? {};
    if (deciding === undefined) return 'works for its cluster, and does not conduct';
    return { jobs: deciding.loading.jobs.length, next: deciding.engine.next() };
  }

  /** A term begins, or is over: then at once. */
  change(given: GivenTerm | undefined): void {
    this.#callOff?.();
    this.#term?.end();
    // What its store could not record is the next term's affair, and would be said of this node for ever.
    this.#parts.daemonFile.update({ store: { kind: 'well' } });
    this.#term = given && this.#made(given);
    if (this.#term !== undefined && given !== undefined) void this.#begin(this.#term, given);
  }

  /** Ends the term in good order: what is decided is recorded. */
  async handOver(): Promise<void> {
    const term = this.#term;
    this.#callOff?.();
    this.#term = undefined;
    await term?.handOver();
  }

  async #begin(term: ClusterTerm, given: GivenTerm): Promise<void> {
    const { log, ownFile, onBegun, onBug } = this.#parts;
    try {
      // A first version of the job file comes before all else: what is to run at a start does.
      await ownFile().settle('start');
      await term.begin();
      if (term !== this.#term) return;
      this.#hasPassedOn = false;
      onBegun(term);
    } catch (error) {
      term.end();
      if (term !== this.#term || error instanceof Deposed) return;
      const isUnfit = error instanceof FileUnfit;
      if (isUnfit)
        log.write(
          'crit',
          `the job file in force cannot be loaded on this node, which schedules nothing: ${error.message}`,
        );
      else if (!(error instanceof DatabaseAway)) onBug(error);
      if (isUnfit && this.#passesOn()) return;
      this.#callOff = systemClock.after(isUnfit ? UNFIT : AGAIN, () => {
        if (term === this.#term) this.change(given);
      });
    }
  }

  /**
   * Whether another node is to conduct, which may have what the job file needs and this one lacks: a variable, a file. Where all passed it on, each
   * keeps its term for a while: the file can only be mended by a node that conducts.
   */
  #passesOn(): boolean {
    const { membership } = this.#parts;
    const { node } = membership;
    const others = membership.nodes();
    const isAble = others.some(({ id, schedules, state }) => id !== node.id && schedules && state === 'up');
    this.#hasPassedOn = isAble && !this.#hasPassedOn;
    if (this.#hasPassedOn) void membership.resign(PASSED_ON);
    return this.#hasPassedOn;
  }

  #made(term: GivenTerm): ClusterTerm {
    const made: ClusterTerm = new ClusterTerm({
      ...this.#parts,
      term,
      contactFor: () => this.#parts.membership.contactFor,
      onHealth: (health) => this.#healthChanged(health),
      onDeposed: () => made.end(),
    });
    return made;
  }

  #healthChanged(health: StoreHealth): void {
    const { daemonFile } = this.#parts;
    const deciding = this.#term?.deciding;
    if (health.kind === 'well') {
      const { caughtUp, dropped } = health;
      daemonFile.update({ store: { kind: 'well' } });
      deciding?.observe({ kind: 'store_healed', caughtUp, dropped });
      return;
    }
    const { kind, since, message, hint } = health;
    daemonFile.update({ store: { kind, since, message, ...(hint !== undefined && { hint }) } });
    deciding?.observe({ ...health, kind: 'store_degraded' });
  }
}
