import ignore, { type Ignore } from "ignore";

/** What one upload's `.gitignore` files may cost; those beyond are not heeded. */
export const IGNORE_FILE_MAX_BYTES = 256 * 1024;
const IGNORE_FILES_MAX = 1000;
const VERDICTS_KEPT_MAX = 100_000;

/** The rules of all `.gitignore` files of a tree, as gitignore(5) has them: the deepest file that says something about a path wins. */
export class GitIgnore {
  readonly #rules = new Map<string, Ignore>();
  readonly #folders = new Map<string, boolean>();

  /** `path` is that of the `.gitignore` itself. */
  add(path: string, text: string): void {
    if (this.#rules.size >= IGNORE_FILES_MAX) return;
    this.#rules.set(folderOf(path), ignore().add(text));
    this.#folders.clear();
  }

  /** Whether git would leave out this new file: by a rule for itself or for a folder that it lies in. */
  ignores(path: string): boolean {
    if (this.#rules.size === 0) return false;
    const folder = folderOf(path);
    return (folder !== "" && this.#ignoresFolder(folder)) || this.#matches(path);
  }

  #ignoresFolder(folder: string): boolean {
    const known = this.#folders.get(folder);
    if (known !== undefined) return known;
    const above = folderOf(folder);
    const ignored = (above !== "" && this.#ignoresFolder(above)) || this.#matches(`${folder}/`);
    if (this.#folders.size < VERDICTS_KEPT_MAX) this.#folders.set(folder, ignored);
    return ignored;
  }

  #matches(path: string): boolean {
    for (let folder = folderOf(path.replace(/\/$/, "")); ; folder = folderOf(folder)) {
      const rules = this.#rules.get(folder);
      const verdict = rules?.test(folder === "" ? path : path.slice(folder.length + 1));
      if (verdict?.ignored) return true;
      if (verdict?.unignored) return false;
      if (folder === "") return false;
    }
  }
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
