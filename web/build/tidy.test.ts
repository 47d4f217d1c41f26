import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

const REPOSITORY = join(import.meta.dirname, "../..");
const LINES_MAX = 400;
const JUNK_NAMES = /(^|\/)(utils?|helpers?|common|misc|types|index)\.tsx?$/;
/** What its own build needs is none of the pages' business. */
const TOOLS = /^web\/(build\/|vite\.config\.ts$)/;
/** What the pages may be made from; `src/bin/dashboard-build.ts` looks there for changes. */
const OURS = /^(web\/|src\/contract\/|examples\/[\w-]+\.md\?raw$)/;
/** The tool reads its configuration from the default export. */
const DEFAULT_EXPORTS = ["web/vite.config.ts"];
/** Ways in which text becomes elements or scripts. */
const FROM_TEXT =
  /dangerouslySetInnerHTML|\.(inner|outer)HTML\b|insertAdjacentHTML|parseFromString|createContextualFragment|srcDoc|document\.write|\beval\(|new Function\b/;

const files = globSync(["web/*.ts", "web/{build,src}/**/*.{ts,tsx}"], { cwd: REPOSITORY }).map((path) => ({
  path,
  text: read(path),
}));
const isTest = (path: string): boolean => /(\.(test|fake)|-fixture)\.tsx?$/.test(path);

function read(path: string): string {
  return readFileSync(join(REPOSITORY, path), "utf8");
}

/** What a file imports; `stays` is false for what is there for its types only. */
function importsOf(text: string): { specifier: string; stays: boolean }[] {
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s(type\s)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"|\bimport\("([^"]+)"\)|new URL\("(\.[^"]+)"/g,
  );
  return Array.from(found, ([, type, named, loaded, addressed]) => ({
    specifier: named ?? loaded ?? addressed ?? "",
    stays: type === undefined,
  }));
}

function targetOf(path: string, specifier: string): string {
  return relative(REPOSITORY, join(REPOSITORY, dirname(path), specifier));
}

/** Whether a file of the contract brings the schema library along where it is loaded. */
function bringsSchemas(path: string): boolean {
  return importsOf(read(path))
    .filter(({ stays }) => stays)
    .some(({ specifier }) =>
      specifier.startsWith(".") ? bringsSchemas(targetOf(path, specifier)) : /^zod(\/|$)/.test(specifier),
    );
}

test("there are pages to look at", () => {
  assert.ok(files.length > 40, `only ${files.length} files were found`);
  const text = 'import { a } from "./b.ts";\nimport type { C } from "../c.ts";\nawait import("./d.tsx")';
  assert.deepEqual(importsOf(text), [
    { specifier: "./b.ts", stays: true },
    { specifier: "../c.ts", stays: false },
    { specifier: "./d.tsx", stays: true },
  ]);
  assert.equal(bringsSchemas("src/contract/job.ts"), true);
});

test("of ours, the dashboard imports itself, the contract and the texts of examples alone", () => {
  const wrong = files.flatMap(({ path, text }) =>
    importsOf(text)
      .filter(({ specifier }) => specifier.startsWith("."))
      .map(({ specifier }) => targetOf(path, specifier))
      .filter((target) => !OURS.test(target) || (TOOLS.test(target) && !TOOLS.test(path)))
      .map((target) => `${path} imports ${target}: ask the orchestrator for it, or move it to src/contract`),
  );
  assert.deepEqual(wrong, []);
});

test("no page imports what is there for tests", () => {
  const wrong = files
    .filter(({ path }) => !isTest(path))
    .flatMap(({ path, text }) =>
      importsOf(text)
        .filter(({ specifier }) => specifier.startsWith(".") && isTest(specifier))
        .map(({ specifier }) => `${path} imports ${specifier}`),
    );
  assert.deepEqual(wrong, []);
});

test("what the pages load of the contract leaves its schemas at home", () => {
  const wrong = files
    .filter(({ path }) => !isTest(path) && !TOOLS.test(path))
    .flatMap(({ path, text }) =>
      importsOf(text)
        .filter(({ specifier, stays }) => stays && specifier.startsWith("."))
        .map(({ specifier }) => targetOf(path, specifier))
        .filter((target) => target.startsWith("src/contract/") && bringsSchemas(target))
        .map(
          (target) =>
            `${path} loads ${target}, and zod with it: import its types, or move what is needed to a file without schemas`,
        ),
    );
  assert.deepEqual(wrong, []);
});

test("no page makes elements or scripts from text", () => {
  const wrong = files
    .filter(({ path, text }) => !isTest(path) && FROM_TEXT.test(text))
    .map(({ path, text }) => `${path} has ${FROM_TEXT.exec(text)?.[0]}: give text to React as text`);
  assert.deepEqual(wrong, []);
});

test("a file of the dashboard is one concept: none is longer than 400 lines, none is named after no concept", () => {
  const long = files
    .filter(({ path, text }) => !isTest(path) && text.split("\n").length > LINES_MAX)
    .map(
      ({ path, text }) => `${path} has ${text.split("\n").length} lines: look for the second concept in it`,
    );
  const junk = files
    .filter(({ path }) => JUNK_NAMES.test(path))
    .map(({ path }) => `${path} is named after no concept: name it after the noun it holds`);
  assert.deepEqual([...long, ...junk], []);
});

test("the dashboard's types hold without any, and it has no default exports", () => {
  const wrong = files
    .filter(({ path }) => !isTest(path))
    .flatMap(({ path, text }) =>
      [/:\s*any\b[^a-z ]/, /\bas any\b/, /<any>/, /\bany\[\]/, /^export default\b/m, /@ts-(ignore|nocheck)/]
        .filter((pattern) => pattern.test(text))
        .filter((pattern) => !(DEFAULT_EXPORTS.includes(path) && pattern.source.includes("export")))
        .map((pattern) => `${path} matches ${pattern}`),
    );
  assert.deepEqual(wrong, []);
});
