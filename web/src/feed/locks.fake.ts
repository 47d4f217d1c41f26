type Held = (lock: Lock | null) => unknown;

/** Locks of one browser, of whose tabs and workers the test says when they crash. */
export class FakeLocks {
  readonly #held = new Map<string, () => void>();
  readonly #waiting = new Map<string, (() => void)[]>();

  request = (async (name: string, held: Held) => {
    if (this.#held.has(name)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), resolve]);
      await promise;
    }
    const { promise: crashed, resolve: crash } = Promise.withResolvers<void>();
    this.#held.set(name, crash);
    try {
      await Promise.race([held(null), crashed]);
    } finally {
      this.#held.delete(name);
      this.#waiting.get(name)?.shift()?.();
    }
  }) as LockManager["request"];

  names(): string[] {
    return [...this.#held.keys()];
  }

  /** Whoever holds it is gone without a word. */
  crash(name: string): void {
    this.#held.get(name)?.();
  }
}
