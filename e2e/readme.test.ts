import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { Holder } from "../src/contract/api.ts";
import { cli, REPOSITORY, readZip, removeFromEngine } from "./harness.ts";

const USUAL_URL = "http://127.0.0.1:8000";

/** The blocks of a page that say of themselves that they can be run, in order. */
async function runnable(page: string): Promise<string[]> {
  const markdown = await readFile(join(REPOSITORY, page), "utf8");
  return Array.from(markdown.matchAll(/^(`{3,})sh runnable\n([\s\S]*?)^\1$/gm), ([, , code = ""]) => code);
}

test("the commands of README.md work, one after the other, in an empty home folder", async () => {
  const home = await mkdtemp(join(tmpdir(), "sealwork-readme-"));
  const data = join(home, ".local/state/sealwork");
  // The Node of this test comes first, so that the launcher need not fetch one.
  const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter);
  const env = { PATH, HOME: home };
  const shell = async (code: string): Promise<string> => {
    const child = spawn("bash", ["-euo", "pipefail", "-c", code], {
      cwd: home,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [printed, complaints, [exit_code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "close"),
    ]);
    assert.equal(exit_code, 0, `${code}\n${printed}\n${complaints}`);
    return printed;
  };
  try {
    // As in a clone, but what the commands save lands in the home folder.
    for (const name of ["sealwork", "examples"]) await symlink(join(REPOSITORY, name), join(home, name));
    const blocks = await runnable("README.md");
    assert.equal(blocks.length, 5);
    const [first = "", own = "", later = "", folder = "", http = ""] = blocks;
    const zips = async () => (await readdir(home)).filter((name) => name.endsWith(".zip")).sort();

    assert.match(await shell(first), /✓ complete/);
    const [report = ""] = await zips();
    const files = await readZip(await readFile(join(home, report)));
    assert.match(files.get("report/report.html")?.content.toString() ?? "", /<svg/);

    assert.match(await shell(own), /│ 5,25\n/);
    assert.match(await shell(later), /✓ complete[\s\S]*web-app|web-app[\s\S]*✓ complete/);

    await shell(folder);
    assert.equal(await readFile(join(home, "notes/draft.txt"), "utf8"), "the first draft\n");

    const { url } = Holder.parse(JSON.parse(await readFile(join(data, "holder.json"), "utf8")));
    assert.ok(http.includes(USUAL_URL));
    const answered = await shell(http.replace(USUAL_URL, url));
    assert.match(answered, /event: job\.ended/);
    assert.match(answered, /"status":"complete"/);
    const work = await readZip(await readFile(join(home, "work.zip")));
    assert.equal(work.get("best.txt")?.content.toString(), "2026-02,134\n");
  } finally {
    await cli(["stop"], { env });
    await removeFromEngine(data);
    await rm(home, { recursive: true, force: true });
  }
});

test("what the pages link to is there", async () => {
  const pages = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    ...globSync("docs/**/*.md", { cwd: REPOSITORY }),
  ];
  for (const page of pages) {
    const markdown = await readFile(join(REPOSITORY, page), "utf8");
    for (const [, target = ""] of markdown
      .replaceAll(/^(`{3,})[\s\S]*?^\1$/gm, "")
      .matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      assert.ok(existsSync(join(REPOSITORY, dirname(page), target)), `${page} links to ${target}`);
    }
  }
});
