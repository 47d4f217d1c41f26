import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { CellOutputs } from "./cell-outputs.ts";
import { NOTEBOOK_PATH, Notebook } from "./notebook.ts";

const folders: string[] = [];
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

type Cell = { id: string; source: string; outputs: object[] };

async function place() {
  const workspace = await mkdtemp(join(tmpdir(), "notebook-"));
  folders.push(workspace);
  const path = join(workspace, NOTEBOOK_PATH);
  const notebook = new Notebook({ workspace });
  const read = async () => JSON.parse(await readFile(path, "utf8"));
  return {
    workspace,
    path,
    read,
    add: (code: string) => notebook.add(code, 1, new CellOutputs()),
    sources: async () => (await read()).cells.map((cell: Cell) => cell.source),
    /** As Jupyter Lab saves a file. */
    async save(content: object | string) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
    },
  };
}

test("what a person saved stays as it is, in its order, and the next cell is added at the end", async () => {
  const { add, read, save, sources } = await place();
  await add("a = 1");
  await add("b = 2");
  const opened = await read();
  const [first, second] = opened.cells;
  const own = { cell_type: "markdown", id: "cell-3", metadata: { mine: true }, source: ["# Mine\n", "too"] };
  const metadata = { kernelspec: { name: "python3", display_name: "Python 3" }, mine: 1 };
  await save({ ...opened, metadata, cells: [second, own, { ...first, source: "a = 10" }] });
  await add("c = 3");
  assert.deepEqual(await sources(), ["b = 2", ["# Mine\n", "too"], "a = 10", "c = 3"]);
  const { cells, metadata: kept } = await read();
  assert.deepEqual(cells[1], own);
  assert.deepEqual(kept, metadata);
  assert.equal(new Set(cells.map((cell: Cell) => cell.id)).size, 4);
});

test("a session goes on from the notebook that it finds, however large it is, also one of an older format", async () => {
  const { add, sources, save, read } = await place();
  const large = { cell_type: "raw", id: "mine", metadata: {}, source: "x".repeat(6 * 1024 * 1024) };
  const old = { cell_type: "code", metadata: {}, source: "old", outputs: [], execution_count: null };
  await save({ nbformat: 4, nbformat_minor: 4, metadata: {}, cells: [large, old] });
  await add("new");
  assert.deepEqual((await sources()).slice(1), ["old", "new"]);
  const { nbformat_minor, cells } = await read();
  assert.equal(nbformat_minor, 5);
  assert.ok(cells.every((cell: Cell) => /^[a-zA-Z0-9-_]{1,64}$/.test(cell.id)));
});

test("a notebook that was removed is written anew with the cells that it had", async () => {
  const { add, sources, path } = await place();
  await add("a");
  await rm(path);
  await add("b");
  assert.deepEqual(await sources(), ["a", "b"]);
});

test("a file that is no notebook is put aside; one that is too large to be read is left alone", async () => {
  const { add, sources, save, workspace, path } = await place();
  await add("a");
  await save("{ not a notebook");
  await add("b");
  assert.deepEqual(await sources(), ["a", "b"]);
  const aside = join(workspace, ".sealwork/session-replaced.ipynb");
  assert.equal(await readFile(aside, "utf8"), "{ not a notebook");
  await save(`"${"x".repeat(65 * 1024 * 1024)}"`);
  await add("c");
  await add("d");
  assert.equal((await readFile(path, "utf8")).length, 65 * 1024 * 1024 + 2);
});
