import assert from "node:assert/strict";
import { test } from "node:test";
import { CELLS_MAX, readNotebook } from "./notebook.ts";

const book = (...cells: unknown[]) => readNotebook(JSON.stringify({ cells, metadata: {}, nbformat: 4 }));

test("cells are read with their outputs: text, errors and pictures", () => {
  const read = book(
    { cell_type: "markdown", source: ["# A\n", "text"] },
    {
      cell_type: "code",
      execution_count: 3,
      source: "1/0",
      outputs: [
        { output_type: "stream", name: "stdout", text: ["a\n", "b"] },
        { output_type: "execute_result", data: { "text/plain": "42", "text/html": "<b>42</b>" } },
        { output_type: "display_data", data: { "image/png": "iVBO\nRw0=", "text/plain": "<Figure>" } },
        { output_type: "error", ename: "ZeroDivisionError", evalue: "no", traceback: ["one", "two"] },
      ],
    },
  );
  assert.deepEqual(read?.cells, [
    { kind: "markdown", count: null, source: "# A\ntext", outputs: [] },
    {
      kind: "code",
      count: 3,
      source: "1/0",
      outputs: [
        { kind: "text", text: "a\nb", is_error: false },
        { kind: "text", text: "42", is_error: false },
        { kind: "picture", address: "data:image/png;base64,iVBORw0=" },
        { kind: "text", text: "one\ntwo", is_error: true },
      ],
    },
  ]);
});

test("what could run or lead elsewhere is never an output", () => {
  const outputs = [
    { data: { "text/html": "<script>1</script>" } },
    { data: { "image/svg+xml": "<svg onload='1'/>" } },
    { data: { "image/png": "https://example.org/x.png" } },
    { data: { "application/javascript": "1" } },
  ];
  assert.deepEqual(book({ cell_type: "code", source: "", outputs })?.cells[0]?.outputs, []);
});

test("what is no notebook is none, and what is not as it should be is left out", () => {
  for (const text of ["", "[]", "{}", '{"cells":7}', "null"]) assert.equal(readNotebook(text), null);
  assert.deepEqual(
    book(null, 7, { cell_type: "strange", source: 7, outputs: "x" })?.cells.map(({ source }) => source),
    ["", "", ""],
  );
  const many = book(...Array.from({ length: CELLS_MAX + 1 }, () => ({ source: "" })));
  assert.deepEqual([many?.cells.length, many?.truncated], [CELLS_MAX, true]);
});
