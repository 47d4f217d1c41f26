import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";

/** A script of the build, as far as it matters here. `imports` are what it cannot start without. */
export type Script = { file: string; code: string; imports: readonly string[]; modules: readonly string[] };

export type FirstPageRules = {
  /** Modules whose scripts the browser loads for the first page; each brings along what it imports. */
  modules: readonly string[];
  /** What all of it together may weigh in gzip. */
  gzip_max_bytes: number;
  /** Packages that load when they are used, and never before. */
  later: readonly string[];
};

export type FirstPage = { files: string[]; gzip_bytes: number; brotli_bytes: number; problems: string[] };

/** Weighs the scripts of the first page, and says what is wrong with them. */
export function weighFirstPage(scripts: readonly Script[], rules: FirstPageRules): FirstPage {
  const problems: string[] = [];
  const by_file = new Map(scripts.map((script) => [script.file, script]));
  const loaded = new Set<Script>();
  const load = (script: Script): void => {
    if (loaded.has(script)) return;
    loaded.add(script);
    for (const file of script.imports) {
      const imported = by_file.get(file);
      if (imported !== undefined) load(imported);
    }
  };
  for (const module of rules.modules) {
    const found = scripts.find(({ modules }) => modules.some((one) => one.endsWith(`/${module}`)));
    if (found === undefined)
      problems.push(`No script of the build has ${module}, which the first page needs.`);
    else load(found);
  }
  let gzip_bytes = 0;
  let brotli_bytes = 0;
  for (const { file, code, modules } of loaded) {
    gzip_bytes += gzipSync(code, { level: 9 }).length;
    brotli_bytes += brotliCompressSync(code, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }).length;
    for (const name of rules.later) {
      const early = modules.find((one) => one.includes(`/node_modules/${name}/`));
      if (early !== undefined)
        problems.push(
          `${name} is in ${file}, which the first page loads: import it where it is used, by import().`,
        );
    }
  }
  const { gzip_max_bytes } = rules;
  if (gzip_bytes > gzip_max_bytes)
    problems.push(
      `The first page has ${kilobytes(gzip_bytes)} of compressed JavaScript, more than ${kilobytes(gzip_max_bytes)}: ` +
        "load what it does not need by import().",
    );
  return { files: Array.from(loaded, ({ file }) => file), gzip_bytes, brotli_bytes, problems };
}

/** Fails a build whose first page is too heavy, and tells the weight of one that is not. */
export function firstPageCheck(rules: FirstPageRules): Plugin {
  return {
    name: "sealwork:first-page",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      const scripts = Object.values(bundle).flatMap((one) =>
        one.type === "chunk"
          ? [{ file: one.fileName, code: one.code, imports: one.imports, modules: one.moduleIds }]
          : [],
      );
      const { files, gzip_bytes, brotli_bytes, problems } = weighFirstPage(scripts, rules);
      if (problems.length > 0) this.error(problems.join("\n"));
      this.info(
        `The first page has ${kilobytes(gzip_bytes)} of JavaScript in gzip, ${kilobytes(brotli_bytes)} in brotli, in ${files.length} files.`,
      );
    },
  };
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
