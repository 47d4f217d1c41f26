/** Which methods a path takes, so that a wrong method is told from a wrong path (405 from 404). */
export class KnownPaths {
  readonly #routes = new Map<string, { segments: string[]; methods: Set<string> }>();

  add(url: string, method: string | string[]): void {
    const route = this.#routes.get(url) ?? { segments: url.split("/"), methods: new Set<string>() };
    for (const one of [method].flat()) route.methods.add(one);
    this.#routes.set(url, route);
  }

  /** The methods of the routes that a path fits, sorted; empty when there is none. */
  methods(path: string): string[] {
    const segments = path.split("/");
    const found = new Set<string>();
    for (const route of this.#routes.values()) {
      if (!fits(route.segments, segments)) continue;
      for (const method of route.methods) found.add(method);
    }
    return [...found].sort();
  }
}

function fits(pattern: string[], path: string[]): boolean {
  const wild = pattern.at(-1) === "*";
  if (wild ? path.length < pattern.length : path.length !== pattern.length) return false;
  return pattern.every(
    (part, index) => part === "*" || part === path[index] || (part.startsWith(":") && path[index] !== ""),
  );
}
