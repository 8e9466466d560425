/** The engine was abandoned before what was asked of it was recorded: whoever decides now knows nothing of it. */
export class EngineAbandoned extends Error {
  override readonly name = 'EngineAbandoned';

  constructor() {
    super('this node stopped deciding before that was recorded: ask again, another one takes over');
  }
}

/** Lets those go who wait for an engine, when it is abandoned: what they wait for may never settle. */
export class Abandonment {
  #isOver = false;
  readonly #waiting = new Set<() => void>();

  get isOver(): boolean {
    return this.#isOver;
  }

  begin(): void {
    this.#isOver = true;
    for (const letGo of this.#waiting) letGo();
    this.#waiting.clear();
  }

  /** Settles as `work` does, or with `otherwise` where the engine is abandoned first. */
  orElse<T>(work: Promise<T>, otherwise: () => T): Promise<T> {
    return this.#whicheverFirst(work, (resolve) => resolve(otherwise()));
  }

  /** Settles as `work` does, or rejects with EngineAbandoned where the engine is abandoned first. */
  orReject<T>(work: Promise<T>): Promise<T> {
    return this.#whicheverFirst(work, (_, reject) => reject(new EngineAbandoned()));
  }

  #whicheverFirst<T>(
    work: Promise<T>,
    settle: (resolve: (value: T) => void, reject: (error: EngineAbandoned) => void) => void,
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const letGo = (): void => settle(resolve, reject);
    const isOver = (): void => void this.#waiting.delete(letGo);
    work.then(resolve, reject).then(isOver, isOver);
    if (this.#isOver) letGo();
    else this.#waiting.add(letGo);
    return promise;
  }
}
