import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { mkdir, mkdtempDisposable, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { silentProgress } from "../cli/progress.ts";
import { AppError } from "../contract/errors.ts";
import { buildDashboard, inputsHash } from "./dashboard-build.ts";

/** Stands for Vite: counts its runs, tells that it has begun, and can be held back by a file. */
const BUILDER = `
import { appendFileSync, existsSync, mkdirSync, watch, writeFileSync } from "node:fs";
const out = process.argv.at(-1);
appendFileSync("runs", "x");
mkdirSync(out, { recursive: true });
writeFileSync(out + "/half", "");
console.log("transforming");
if (existsSync("broken")) {
  console.error("main.tsx does not parse");
  process.exit(1);
}
const watching = existsSync("hold") ? watch(".", () => existsSync("hold") || finish()) : null;
if (watching === null || !existsSync("hold")) finish();
function finish() {
  watching?.close();
  writeFileSync(out + "/index.html", "built");
}
`;

async function openCheckout() {
  const stack = new AsyncDisposableStack();
  const installation = stack.use(await mkdtempDisposable(join(tmpdir(), "sw-checkout-"))).path;
  const files: Record<string, string> = {
    "builder.mjs": BUILDER,
    "web/index.html": "<!doctype html>",
    "web/src/main.tsx": "main",
    "src/contract/job.ts": "job",
    "examples/hello.md": "hello",
    "tsconfig.json": "{}",
    "package-lock.json": "{}",
  };
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(installation, path, ".."), { recursive: true });
    writeFileSync(join(installation, path), content);
  }
  const told: string[] = [];
  const progress = { ...silentProgress, step: (title: string) => void told.push(title) };
  const build = (options: { signal?: AbortSignal; line?: (text: string) => void } = {}) =>
    buildDashboard({
      installation,
      progress: { ...progress, line: (text) => options.line?.(text) },
      signal: options.signal ?? new AbortController().signal,
      command: [process.execPath, "builder.mjs"],
    });
  return {
    installation,
    told,
    build,
    write: (path: string, content: string) => writeFileSync(join(installation, path), content),
    builds: () => readdirSync(join(installation, "web/dist")).sort(),
    runs: () => readFileSync(join(installation, "runs"), "utf8").length,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test("a dashboard is built once, and again when something changes that it is made from", async () => {
  await using checkout = await openCheckout();
  const { build, write, told, runs } = checkout;
  const first = await build();
  assert.equal(readFileSync(join(first, "index.html"), "utf8"), "built");
  assert.deepEqual(told, ["Building the dashboard"]);
  assert.equal(await build(), first);
  assert.deepEqual([told.length, runs()], [1, 1]);
  const seen = new Set([first]);
  const paths = [
    "web/src/main.tsx",
    "web/vite.config.ts",
    "src/contract/job.ts",
    "examples/hello.md",
    "package-lock.json",
  ];
  for (const path of paths) {
    write(path, "changed");
    seen.add(await build());
  }
  assert.deepEqual([seen.size, runs()], [6, 6]);
  write("web/src/main.test.ts", "a test");
  write("README.md", "no part of it");
  assert.ok(seen.has(await build()));
  assert.equal(runs(), 6);
});

test("the same content is the same build, whatever its files are dated", async () => {
  await using checkout = await openCheckout();
  const before = inputsHash(checkout.installation);
  utimesSync(join(checkout.installation, "web/src/main.tsx"), new Date(0), new Date(0));
  assert.equal(inputsHash(checkout.installation), before);
  checkout.write("web/src/maim.tsx", "main");
  assert.notEqual(inputsHash(checkout.installation), before);
});

test("a build that fails says why and what to do, leaves nothing, and is tried again", async () => {
  await using checkout = await openCheckout();
  checkout.write("broken", "");
  await assert.rejects(checkout.build(), (error) => {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, "setup_failed");
    assert.match(error.message, /^The dashboard could not be built\..*main\.tsx does not parse/s);
    assert.match(error.hint ?? "", /sealwork setup/);
    return true;
  });
  assert.deepEqual(checkout.builds(), []);
  await rm(join(checkout.installation, "broken"));
  assert.ok(existsSync(join(await checkout.build(), "index.html")));
});

test("a build that is interrupted leaves nothing behind, and the next one is whole", async () => {
  await using checkout = await openCheckout();
  checkout.write("hold", "");
  const interrupted = new AbortController();
  const building = checkout.build({ signal: interrupted.signal, line: () => interrupted.abort() });
  await assert.rejects(building, { name: "AbortError" });
  assert.deepEqual(checkout.builds(), []);
  await rm(join(checkout.installation, "hold"));
  assert.ok(existsSync(join(await checkout.build(), "index.html")));
});

test("two builds at once do not get into each other's way", async () => {
  await using checkout = await openCheckout();
  checkout.write("hold", "");
  let begun = 0;
  const line = () => {
    begun += 1;
    if (begun === 2) void rm(join(checkout.installation, "hold"));
  };
  const [one, other] = await Promise.all([checkout.build({ line }), checkout.build({ line })]);
  assert.equal(one, other);
  assert.equal(checkout.runs(), 2);
  assert.deepEqual(checkout.builds(), [one?.split("/").at(-1)]);
});

test("what a killed build left is removed, builds of running servers' age stay, older ones go", async () => {
  await using checkout = await openCheckout();
  const { build, write, builds, installation } = checkout;
  const made: string[] = [];
  for (const age of [4, 3, 2, 1]) {
    write("web/src/main.tsx", `of ${age} days ago`);
    const built = await build();
    const at = new Date(Date.UTC(2026, 0, 10 - age));
    utimesSync(built, at, at);
    made.push(built.split("/").at(-1) ?? "");
  }
  // No process has this id: it is above what Linux gives.
  await mkdir(join(installation, "web/dist/building-99999999-ab"));
  await mkdir(join(installation, `web/dist/building-${process.pid}-ab`));
  await mkdir(join(installation, "web/dist/by-hand"));
  write("web/src/main.tsx", "of today");
  const current = (await build()).split("/").at(-1) ?? "";
  assert.deepEqual(builds(), [...made.slice(-2), current, `building-${process.pid}-ab`, "by-hand"].sort());
});

test("where the checkout cannot be written it is said who has to build", async () => {
  await using checkout = await openCheckout();
  // Nobody may make a folder there, root neither.
  await symlink("/sys", join(checkout.installation, "web/dist"));
  await assert.rejects(checkout.build(), (error) => {
    assert.ok(error instanceof AppError);
    assert.match(error.hint ?? "", /`sealwork setup` once as the owner of/);
    return true;
  });
});
