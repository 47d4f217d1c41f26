import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { extract } from "tar-stream";
import { AppError } from "../../contract/errors.ts";
import type { FilePlace } from "../handlers.ts";
import { openToRead } from "./inside.ts";
import { packFolder } from "./pack.ts";
import { ENDLESS_ROOM, receiveFile } from "./receive-file.ts";
import { openFile, openFolder } from "./unswapped.ts";

const ROUNDS_MIN = 300;
const ROUNDS_MAX = 20_000;
const never = (): AbortSignal => new AbortController().signal;

/** A home with a folder, in whose place a symlink to the folder outside stands every other moment, by the hands of another thread. */
async function swapped() {
  const parent = await realpath(await mkdtemp(join(tmpdir(), "sealwork-test-")));
  const [home, outside] = [join(parent, "home"), join(parent, "outside")];
  const folder = join(home, "workspace", "folder");
  const [inside, link] = [join(home, "inside"), join(home, "link")];
  await mkdir(join(home, "workspace"), { recursive: true });
  await mkdir(inside);
  await mkdir(outside);
  await writeFile(join(inside, "name"), "inside");
  await writeFile(join(outside, "name"), "outside");
  await symlink(outside, link);
  const code = `
    const { renameSync } = require("node:fs");
    const { parentPort, workerData: { folder, inside, link } } = require("node:worker_threads");
    let ended = false;
    parentPort.on("message", () => { ended = true; });
    let made = 0;
    const round = () => {
      for (const one of [inside, link])
        for (;;) {
          try { renameSync(one, folder); renameSync(folder, one); break; }
          // Who writes has made a folder there in the moment in which there was none.
          catch { renameSync(folder, folder + made++); }
        }
      if (ended) parentPort.close(); else setImmediate(round);
    };
    round();
  `;
  const worker = new Worker(code, { eval: true, workerData: { folder, inside, link } });
  const gone = new Promise((resolve) => worker.once("exit", resolve));
  const end = async (): Promise<void> => {
    worker.postMessage("end");
    await gone;
  };
  return {
    home,
    workspace: join(home, "workspace"),
    outside,
    folder,
    end,
    async [Symbol.asyncDispose]() {
      await end();
      await rm(parent, { recursive: true, force: true });
    },
  };
}

/** Does it until it has met both the folder and something else, and often. Returns what it met. */
async function often(look: () => Promise<string>): Promise<string[]> {
  const met = new Set<string>();
  for (let round = 0; round < ROUNDS_MIN || (met.size < 2 && round < ROUNDS_MAX); round += 1)
    met.add(await look());
  return [...met].sort();
}

const place: FilePlace = { root: "workspace", path: "folder/name" };
const coded = (error: unknown): string => {
  assert.ok(error instanceof AppError, String(error));
  return error.code;
};

test("a file in a folder that is swapped for a symlink all the time is read as itself, or not", async () => {
  await using at = await swapped();
  const met = await often(async () => {
    try {
      await using file = await openToRead(at, join(at.folder, "name"), place);
      return await file.readFile("utf8");
    } catch (error) {
      return coded(error);
    }
  });
  assert.deepEqual(met, ["conflict", "inside"]);
});

test("a folder that is swapped for a symlink all the time is packed as itself, or not", async () => {
  await using at = await swapped();
  const met = await often(async () => {
    const tar = extract();
    packFolder(at.folder, { base: at.home, left_out: null }, never()).pipe(tar);
    let content = "nothing";
    for await (const entry of tar) {
      const whole = (await buffer(entry)).toString();
      if (entry.header.type === "file") content = whole;
    }
    return content;
  });
  assert.deepEqual(met, ["inside", "nothing"]);
});

test("nothing is written through a folder that is swapped for a symlink all the time", async () => {
  await using at = await swapped();
  const met = await often(async () => {
    const options = { only_new: false, room: ENDLESS_ROOM };
    const content = Readable.from([Buffer.from("new")]);
    const path = "folder/new";
    return receiveFile(at, { root: "workspace", path }, content, options).then(() => "written", coded);
  });
  assert.ok(met.includes("written"), met.join(" "));
  await at.end();
  assert.deepEqual(await readdir(at.outside), ["name"]);
  const left = await readdir(at.home, { recursive: true });
  assert.deepEqual(
    left.filter((name) => name.endsWith(".unfinished")),
    [],
  );
});

test("names are bytes, and what is no folder, no file or not below is not opened", async () => {
  const home = await realpath(await mkdtemp(join(tmpdir(), "sealwork-test-")));
  try {
    const odd = Buffer.concat([Buffer.from(`${home}/`), Buffer.from([0xff, 0xfe])]);
    await mkdir(odd);
    await writeFile(Buffer.concat([odd, Buffer.from("/file")]), "found");
    await using file = await openFile(home, Buffer.concat([odd, Buffer.from("/file")]));
    assert.equal(await file?.readFile("utf8"), "found");
    await using folder = await openFolder(home, odd);
    assert.ok((await folder.stat()).isDirectory());
    assert.equal(await openFile(home, odd), null);
    assert.equal(await openFile(home, home), null);
    await writeFile(join(home, "plain"), "x");
    await assert.rejects(openFolder(home, join(home, "plain")), { code: "ENOTDIR" });
    await assert.rejects(openFolder(home, join(home, "plain/below")), { code: "ENOTDIR" });
    await assert.rejects(openFolder(home, `${home}-beside`), { code: "ENOTDIR" });
    await assert.rejects(openFolder(home, "/"), { code: "ENOTDIR" });
    await symlink("plain", join(home, "link"));
    assert.equal(await openFile(home, join(home, "link")), null);
    assert.equal(await readFile(join(home, "plain"), "utf8"), "x");
  } finally {
    await rm(home, { recursive: true });
  }
});
