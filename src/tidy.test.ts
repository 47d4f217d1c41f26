import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

/** Which folder of src/ may import which others. `bin` wires everything together, so it may import all. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  contract: [],
  core: ["contract"],
  drivers: ["core", "contract"],
  stores: ["core", "contract"],
  artifacts: ["core", "contract"],
  gateway: ["core", "contract"],
  server: ["core", "contract"],
  runner: ["contract"],
  cli: ["contract"],
  bin: ["contract", "core", "drivers", "stores", "artifacts", "gateway", "server", "cli"],
};

/** Modules of the platform that do I/O: core has its own interfaces for what they give. */
const IO_MODULES =
  /^node:(fs|net|http|http2|https|child_process|os|process|sqlite|dgram|dns|tls|worker_threads)/;
const LINES_MAX = 400;
const JUNK_NAMES = /(^|\/)(utils?|helpers?|common|misc|types|index)\.ts$/;

const source = import.meta.dirname;
const files = globSync("**/*.ts", { cwd: source }).map((path) => ({
  path,
  folder: path.split("/")[0] ?? "",
  text: readFileSync(join(source, path), "utf8"),
}));
const isTest = (path: string) =>
  /(\.(test|contract|fake)|-fixture)\.ts$/.test(path) || path === "tidy.test.ts";

function importsOf(text: string): string[] {
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s(?:[^"';]*?\sfrom\s+)?"([^"]+)"|\bimport\("([^"]+)"\)/g,
  );
  return Array.from(found, (match) => match[1] ?? match[2] ?? "");
}

test("there is source to look at", () => {
  assert.ok(files.length > 50, `only ${files.length} files were found under ${source}`);
  assert.deepEqual(importsOf('import { a } from "./b.ts";\nexport * from "x";\nawait import("./c.ts")'), [
    "./b.ts",
    "x",
    "./c.ts",
  ]);
});

test("a folder imports only those that the table of ARCHITECTURE.md allows", () => {
  const wrong: string[] = [];
  for (const { path, folder, text } of files) {
    const allowed = MAY_IMPORT[folder];
    if (allowed === undefined || isTest(path)) continue;
    for (const specifier of importsOf(text).filter((one) => one.startsWith("."))) {
      const target = relative(source, join(source, dirname(path), specifier)).split("/")[0] ?? "";
      if (target === folder || allowed.includes(target)) continue;
      wrong.push(
        `src/${path} imports ${specifier}: ${folder} may import ${allowed.join(", ") || "nothing of ours"}; hand it in from src/bin instead`,
      );
    }
  }
  assert.deepEqual(wrong, []);
});

test("every folder of src has its line in the table", () => {
  const folders = new Set(files.filter(({ path }) => path.includes("/")).map(({ folder }) => folder));
  assert.deepEqual([...folders].sort(), Object.keys(MAY_IMPORT).sort());
});

test("ARCHITECTURE.md has the same table", () => {
  const page = readFileSync(join(source, "../ARCHITECTURE.md"), "utf8");
  const rows = Array.from(
    page.matchAll(/^\| `src\/(\w+)\/` \|.*\| ([^|]+) \|$/gm),
    ([, folder = "", words = ""]) => {
      if (words === "nothing of ours") return [folder, []];
      if (words === "all but runner")
        return [folder, Object.keys(MAY_IMPORT).filter((one) => one !== "runner" && one !== folder)];
      return [folder, words.split(", ")];
    },
  );
  const sorted = (table: Record<string, readonly string[]>) =>
    Object.fromEntries(Object.entries(table).map(([folder, names]) => [folder, [...names].sort()]));
  assert.deepEqual(sorted(Object.fromEntries(rows)), sorted(MAY_IMPORT));
});

test("core does no I/O", () => {
  const wrong = files
    .filter(({ folder, path }) => folder === "core" && !isTest(path))
    .flatMap(({ path, text }) =>
      importsOf(text)
        .filter((specifier) => IO_MODULES.test(specifier))
        .map((specifier) => `src/${path} imports ${specifier}: take an interface of core instead`),
    );
  assert.deepEqual(wrong, []);
});

test("core and contract know no vendor: they import the platform, each other and the schema library only", () => {
  const wrong = files
    .filter(({ folder, path }) => (folder === "core" || folder === "contract") && !isTest(path))
    .flatMap(({ path, text }) =>
      importsOf(text)
        .filter((specifier) => !/^(\.|node:|zod(\/|$)|mdast)/.test(specifier))
        .map(
          (specifier) => `src/${path} imports ${specifier}: keep it in the folder that talks to that vendor`,
        ),
    );
  assert.deepEqual(wrong, []);
});

test("lock files carry no download addresses, so that every machine downloads from where its own settings say", () => {
  const repository = join(source, "..");
  for (const path of [
    "package-lock.json",
    "images/base/package-lock.json",
    "images/agents/package-lock.json",
  ]) {
    const lock: { packages: Record<string, { resolved?: string }> } = JSON.parse(
      readFileSync(join(repository, path), "utf8"),
    );
    const addresses = Object.entries(lock.packages).filter(
      ([, { resolved }]) => resolved !== undefined && /^[a-z+]+:/.test(resolved),
    );
    assert.deepEqual([path, addresses], [path, []]);
    assert.ok(Object.keys(lock.packages).length > 1, `${path} lists packages`);
  }
});

test("docs/dependencies.md names every package that this one depends on", () => {
  const read = (path: string) => readFileSync(join(source, "..", path), "utf8");
  const { dependencies, devDependencies } = JSON.parse(read("package.json"));
  const named = new Set(read("docs/dependencies.md").match(/[@\w][\w./-]*/g));
  const packages = Object.keys({ ...dependencies, ...devDependencies });
  assert.ok(packages.length > 20);
  assert.deepEqual(
    packages.filter((name) => !name.startsWith("@types/") && !named.has(name)),
    [],
  );
});

test("only src/bin reads the environment", () => {
  const wrong = files
    .filter(({ folder, path, text }) => folder !== "bin" && !isTest(path) && /\bprocess\.env\b/.test(text))
    .map(({ path }) => `src/${path} reads process.env: take the value as a parameter, src/bin reads it`)
    // The runner is a program of its own, and its main is its wiring.
    .filter((line) => !line.startsWith("src/runner/main.ts"));
  assert.deepEqual(wrong, []);
});

test("a file is one concept: no file is longer than 400 lines, none is named after no concept", () => {
  const long = files
    .filter(({ path, text }) => !isTest(path) && text.split("\n").length > LINES_MAX)
    .map(
      ({ path, text }) =>
        `src/${path} has ${text.split("\n").length} lines: look for the second concept in it`,
    );
  const junk = files
    .filter(({ path }) => JUNK_NAMES.test(path))
    .map(({ path }) => `src/${path} is named after no concept: name it after the noun it holds`);
  assert.deepEqual([...long, ...junk], []);
});

test("the types hold without any, non-null assertions and default exports", () => {
  const wrong = files
    .filter(({ path }) => path !== "tidy.test.ts")
    .flatMap(({ path, text }) =>
      [/:\s*any\b/, /\bas any\b/, /<any>/, /^export default\b/m]
        .filter((pattern) => pattern.test(text))
        .map((pattern) => `src/${path} matches ${pattern}`),
    );
  assert.deepEqual(wrong, []);
});
