export type EntryKind = "file" | "folder" | "symlink";

/** Characters of all paths together that one tree keeps in memory. */
const TREE_MAX_CHARS = 64 * 1024 * 1024;

/**
 * The paths of one archive as they come, to find those that cannot stand beside the ones before: a second entry of the same name, and an
 * entry below a file or a symlink (which could otherwise be written through the link to somewhere else). Takes judged paths only.
 */
export class PathTree {
  readonly #kinds = new Map<string, EntryKind | "implied">();
  readonly #nodes_max: number;
  #chars = 0;

  /** `nodes_max` bounds entries and the folders that they imply, together. */
  constructor(nodes_max: number) {
    this.#nodes_max = nodes_max;
  }

  /** Makes a folder known that no entry stands for yet. */
  imply(path: string): void {
    this.#kinds.set(path, "implied");
  }

  /** Takes the entry in, or says what is wrong with it ("The entry …"). */
  place(path: string, kind: EntryKind): string | null {
    const before = this.#kinds.get(path);
    if (before === "implied") {
      if (kind !== "folder") return "is a folder before, by the entries below it";
      this.#kinds.set(path, kind);
      return null;
    }
    if (before !== undefined) return "occurs twice";
    const implied: string[] = [];
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const parent = path.slice(0, end);
      const of = this.#kinds.get(parent);
      if (of === "folder" || of === "implied") break;
      if (of !== undefined) return `lies below something that is a ${of}`;
      implied.push(parent);
    }
    const chars = path.length * (implied.length + 1);
    if (this.#kinds.size + implied.length + 1 > this.#nodes_max || this.#chars + chars > TREE_MAX_CHARS)
      return "is one too many: the archive has too many entries or too long names";
    this.#chars += chars;
    for (const parent of implied) this.#kinds.set(parent, "implied");
    this.#kinds.set(path, kind);
    return null;
  }
}
