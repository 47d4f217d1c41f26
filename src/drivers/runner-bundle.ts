import { readFile } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import type { OnResolveResult, Plugin, ResolveOptions } from "esbuild";
import type { ContextFile } from "./docker-build-context.ts";

/**
 * `code` is the module that the container starts, `chunks` are what it loads when it is needed, in a folder beside it. `inputs` are the
 * absolute paths of the files that went into them.
 */
export type RunnerBundle = { code: Uint8Array; chunks: ContextFile[]; inputs: string[] };

/**
 * Bundles the runner with all its libraries for Node 26 on any platform; the same sources give the same bytes and names. What is imported
 * dynamically (the agents with a model) becomes chunks, so that a job without a model does not read them. Names are kept, for the stack of
 * a fault; without spaces and comments a runner in several files starts as fast as one in a single file with them.
 * The bundler is loaded at the first call, because most starts find the image ready.
 */
export async function bundleRunner(root: string, entry: string): Promise<RunnerBundle> {
  const { build } = await import("esbuild");
  const outdir = resolve(root, "bundle");
  const result = await build({
    absWorkingDir: root,
    entryPoints: { runner: entry },
    bundle: true,
    splitting: true,
    minifyWhitespace: true,
    minifySyntax: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    target: "node26",
    legalComments: "none",
    logLevel: "silent",
    outdir,
    outExtension: { ".js": ".mjs" },
    chunkNames: "chunks/[name]-[hash]",
    plugins: [wholeZod(root)],
    // Bundled CommonJS asks for Node's own modules with `require`, which a module does not have.
    banner: {
      js: 'import { createRequire as sealworkCreateRequire } from "node:module"; const require = sealworkCreateRequire(import.meta.url);',
    },
  });
  let code: Uint8Array = new Uint8Array();
  const chunks: ContextFile[] = [];
  for (const { path, contents } of result.outputFiles) {
    const name = relative(outdir, path);
    if (name === "runner.mjs") code = contents;
    else chunks.push({ path: name, executable: false, content: contents });
  }
  chunks.sort((a, b) => (a.path < b.path ? -1 : 1));
  const prefix = `${WHOLE_ZOD}:`;
  const inputs = Object.keys(result.metafile.inputs).map((path) =>
    resolve(root, path.startsWith(prefix) ? path.slice(prefix.length) : path),
  );
  return { code, chunks, inputs: [...new Set(inputs)] };
}

const WHOLE_ZOD = "whole-zod";

/**
 * The runner's own schemas are in the small form (`zod/mini`), of which the bundler keeps only what they use. A file that two parts of the
 * bundle share lies whole in what both load; so whoever wants the whole library gets a copy of it, that the runner's start does not read.
 * Its files go by paths below `root`, because they are written into the bundle, which is the same wherever it is made.
 */
function wholeZod(root: string): Plugin {
  return {
    name: WHOLE_ZOD,
    setup(build) {
      async function copied(path: string, options: ResolveOptions): Promise<OnResolveResult> {
        const found = await build.resolve(path, { ...options, pluginData: WHOLE_ZOD });
        const { errors, warnings } = found;
        if (errors.length > 0) return { errors, warnings };
        return { path: relative(root, found.path), namespace: WHOLE_ZOD, sideEffects: found.sideEffects };
      }
      build.onResolve({ filter: /^zod($|\/)/ }, ({ path, importer, kind, resolveDir, pluginData }) => {
        if (pluginData === WHOLE_ZOD || path === "zod/mini") return null;
        return copied(path, { importer, kind, resolveDir });
      });
      build.onResolve({ filter: /^\./, namespace: WHOLE_ZOD }, ({ path, kind, resolveDir }) =>
        copied(path, { kind, resolveDir }),
      );
      build.onLoad({ filter: /./, namespace: WHOLE_ZOD }, async ({ path }) => {
        const absolute = resolve(root, path);
        return { contents: await readFile(absolute), loader: "js", resolveDir: dirname(absolute) };
      });
    },
  };
}
