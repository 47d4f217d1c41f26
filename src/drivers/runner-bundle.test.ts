import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { bundleRunner, type RunnerBundle } from "./runner-bundle.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** What every job's runner reads before its first step: each 100 KiB more are about a millisecond of its start. */
const START_MAX_BYTES = 400 * 1024;

/** A project with a library of the name `zod`, in a small and a whole form that share a file. */
const PROJECT = {
  "main.ts": `import { small } from "zod/mini";\nconsole.log(small, (await import("./later.ts")).word, process.argv[2]);\n`,
  "later.ts": `import { whole } from "zod";\nimport { small } from "zod/mini";\nexport const word: string = whole + small;\n`,
  "node_modules/zod/package.json": JSON.stringify({
    name: "zod",
    type: "module",
    sideEffects: false,
    exports: { ".": "./whole.js", "./mini": "./mini.js" },
  }),
  "node_modules/zod/mini.js": `export { small } from "./core.js";\n`,
  "node_modules/zod/whole.js": `export { whole } from "./core.js";\n`,
  "node_modules/zod/core.js": `export const small = "little";\nexport const whole = "everything";\nexport const rest = "unused";\n`,
};

async function project(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "sealwork-bundle-"));
  for (const [name, content] of Object.entries(PROJECT)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), content);
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** The texts of what is loaded at the start: the first module, and what it and these import statically. */
function loadedAtStart(bundle: RunnerBundle): string[] {
  const loaded: string[] = [Buffer.from(bundle.code).toString()];
  const names = new Set<string>();
  for (const text of loaded) {
    for (const [, name = ""] of text.matchAll(/(?:from|import)\s*"\.{1,2}\/(?:chunks\/)?([^"]+)"/g)) {
      if (names.has(name)) continue;
      names.add(name);
      const chunk = bundle.chunks.find(({ path }) => path === `chunks/${name}`);
      assert(chunk !== undefined, `${name} is not in the bundle`);
      loaded.push(Buffer.from(chunk.content).toString());
    }
  }
  return loaded;
}

test("the same sources give the same bytes and names, wherever they lie", async () => {
  await using one = await project();
  await using other = await project();
  const [first, second] = await Promise.all([
    bundleRunner(one.path, "main.ts"),
    bundleRunner(other.path, join(other.path, "main.ts")),
  ]);
  assert.deepEqual(first.code, second.code);
  assert.deepEqual(first.chunks, second.chunks);
  const sources = Object.keys(PROJECT).filter((name) => !name.endsWith(".json"));
  assert.deepEqual(first.inputs.sort(), sources.map((name) => join(one.path, name)).sort());
});

test("what is imported dynamically is a chunk of its own, and brings no more of the small library into the start", async () => {
  await using folder = await project();
  const bundle = await bundleRunner(folder.path, "main.ts");
  const start = loadedAtStart(bundle).join("\n");
  assert.match(start, /little/);
  assert.doesNotMatch(start, /everything/);
  assert(bundle.chunks.some(({ content }) => Buffer.from(content).includes("everything")));
});

test("the start of the runner reads no agent with a model and no whole library", async () => {
  const bundle = await bundleRunner(ROOT, join(ROOT, "src/runner/main.ts"));
  const start = loadedAtStart(bundle);
  const bytes = start.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  assert(bytes <= START_MAX_BYTES, `The start reads ${bytes} bytes.`);
});
