import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { type FirstPageRules, type Script, weighFirstPage } from "./first-page.ts";

const script = (file: string, options: Partial<Script> & { bytes?: number } = {}): Script => ({
  file,
  // Random text weighs about what it has, whatever compresses it.
  code: randomBytes((options.bytes ?? 100) / 2).toString("hex"),
  imports: options.imports ?? [],
  modules: options.modules ?? [],
});
const rules: FirstPageRules = {
  modules: ["src/main.tsx", "src/jobs/jobs-page.tsx"],
  gzip_max_bytes: 10_000,
  later: ["uplot"],
};
const main = script("main.js", { modules: ["/w/web/src/main.tsx"], imports: ["react.js"] });
const react = script("react.js", { modules: ["/w/node_modules/react/index.js"], imports: ["main.js"] });
const list = script("list.js", { modules: ["/w/web/src/jobs/jobs-page.tsx"] });
const charts = script("charts.js", { modules: ["/w/node_modules/uplot/dist/uPlot.esm.js"], bytes: 40_000 });

test("the first page is its modules with all that they import, and nothing else", () => {
  const page = weighFirstPage([charts, list, react, main], rules);
  assert.deepEqual(page.problems, []);
  assert.deepEqual(page.files.sort(), ["list.js", "main.js", "react.js"]);
  const weights = [list, main, react].map(({ code }) => gzipSync(code, { level: 9 }).length);
  assert.equal(
    page.gzip_bytes,
    weights.reduce((sum, one) => sum + one),
  );
  assert.ok(page.brotli_bytes > 0);
});

test("a first page that is too heavy fails the build", () => {
  const heavy = script("react.js", { bytes: 30_000 });
  const { problems } = weighFirstPage([main, heavy, list], rules);
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? "", /has 1\d\.\d kB of compressed JavaScript, more than 10\.0 kB/);
});

test("a surface in the first page fails the build, however light it is", () => {
  const light = script("react.js", { modules: ["/w/node_modules/uplot/dist/uPlot.esm.js"] });
  const { problems } = weighFirstPage([main, light, list], rules);
  assert.deepEqual(problems, [
    "uplot is in react.js, which the first page loads: import it where it is used, by import().",
  ]);
});

test("a check that no longer finds the first page fails the build", () => {
  const { problems } = weighFirstPage([main, react], rules);
  assert.deepEqual(problems, [
    "No script of the build has src/jobs/jobs-page.tsx, which the first page needs.",
  ]);
});
