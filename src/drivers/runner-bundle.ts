import { resolve } from "node:path";

/** `inputs` are the absolute paths of the files that went into it. */
export type RunnerBundle = { code: Uint8Array; inputs: string[] };

/**
 * Bundles the runner with all its libraries into one module, `runner.mjs`, for Node 26 on any platform; the same sources give the same bytes.
 * The bundler is loaded at the first call, because most starts find the image ready.
 */
export async function bundleRunner(root: string, entry: string): Promise<RunnerBundle> {
  const { build } = await import("esbuild");
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    target: "node26",
    legalComments: "none",
    logLevel: "silent",
    outfile: "runner.mjs",
    // Bundled CommonJS asks for Node's own modules with `require`, which a module does not have.
    banner: {
      js: 'import { createRequire as sealworkCreateRequire } from "node:module"; const require = sealworkCreateRequire(import.meta.url);',
    },
  });
  const code = result.outputFiles[0]?.contents ?? new Uint8Array();
  return { code, inputs: Object.keys(result.metafile.inputs).map((path) => resolve(root, path)) };
}
