import assert from "node:assert/strict";
import { test } from "node:test";
import { inside } from "../inside-fixture.ts";

const python = (code: string, more: object = {}): [string, object] => ["python", { code, ...more }];

test("values last between cells; streams, results and failures are told apart", {
  timeout: 300_000,
}, async () => {
  const { results, kernel, kernel_mode } = await inside([
    python("import os, sys\nx = 41\nprint('out'); print('err', file=sys.stderr)"),
    python("x + 1"),
    python("def f():\n    return 1 / 0\nf()"),
    python("print(x, os.getcwd())"),
    python("input('?')"),
    python("import subprocess; print(subprocess.run('echo child; exit 3', shell=True).returncode)"),
  ]);
  const [first, value, failure, after, input, child] = results;
  assert.equal(first?.exit_code, 0, first?.for_model ?? "");
  assert.match(first?.output ?? "", /out\n/);
  assert.match(first?.output ?? "", /err\n/);
  assert.match(value?.for_model ?? "", /^ok \(\d+\.\d s\)\n42\n$/);
  assert.deepEqual(value?.displayed, [{ step: 2, mime: "text/plain", blob: null, text: "42" }]);
  assert.equal(failure?.exit_code, 1);
  assert.match(failure?.for_model ?? "", /^error [\s\S]*ZeroDivisionError: division by zero/);
  assert.ok(!failure?.for_model.includes("\u001b"));
  assert.equal(after?.output, "41 /home/agent/workspace\n");
  assert.match(input?.for_model ?? "", /StdinNotImplementedError/);
  // Two writers, each in its own order.
  assert.match(child?.output ?? "", /child\n/);
  assert.equal(child?.output.replace("child\n", ""), "3\n");
  assert.equal(kernel_mode, 0o600);
  const connection: { transport: string; key: string } = JSON.parse(kernel ?? "{}");
  assert.equal(connection.transport, "ipc");
  assert.ok(connection.key.length >= 32);
});

test("plots and tables come back in rich forms, and all cells as a notebook", {
  timeout: 300_000,
}, async () => {
  const png =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  const { results, notebook } = await inside([
    python(
      `import base64\nfrom IPython.display import display, Image, HTML, SVG\ndisplay(Image(base64.b64decode("${png}")))\ndisplay(HTML("<b>bold</b>"))\ndisplay(SVG("<svg xmlns='http://www.w3.org/2000/svg'></svg>"))\nprint("text")`,
    ),
    python(
      "class Table:\n    def _repr_html_(self): return '<table></table>'\n    def __repr__(self): return 'a table'\nTable()",
    ),
    python("raise ValueError('no')"),
  ]);
  const [shown, table] = results;
  assert.deepEqual(
    shown?.displayed.map((one) => [one.mime, one.blob !== null]),
    [
      ["image/png", true],
      ["text/html", true],
      ["image/svg+xml", true],
    ],
  );
  assert.deepEqual(shown?.images, ["image/png"]);
  assert.match(shown?.for_model ?? "", /\[image\/png, \d+ bytes, shown to people\]/);
  assert.match(table?.for_model ?? "", /\[text\/html, 15 bytes, shown to people\] a table/);
  const { cells, ...rest } = JSON.parse(notebook ?? "{}");
  assert.deepEqual(
    [rest.nbformat, rest.nbformat_minor, rest.metadata.kernelspec.name],
    [4, 5, "sealwork-session"],
  );
  assert.deepEqual(
    cells.map((cell: { outputs: { output_type: string }[] }) => cell.outputs.map((one) => one.output_type)),
    [["display_data", "display_data", "display_data", "stream"], ["execute_result"], ["error"]],
  );
  assert.deepEqual(
    [cells[1].outputs[0].execution_count, cells[1].execution_count, cells[1].id],
    [2, 2, "cell-2"],
  );
  assert.equal(cells[0].outputs[0].data["image/png"].trim(), png);
  assert.equal(cells[2].outputs[0].ename, "ValueError");
});

test("a cell that takes too long is interrupted and values are kept; one that cannot be is ended", {
  timeout: 300_000,
}, async () => {
  const { results } = await inside([
    python("y = 7\nimport time\nprint('begun')\ntime.sleep(100)", { timeout_s: 2 }),
    python("print(y)"),
    python("while True:\n    try:\n        time.sleep(1)\n    except KeyboardInterrupt:\n        pass", {
      timeout_s: 2,
    }),
    python("print('y' in globals())"),
  ]);
  const [late, kept, stuck, fresh] = results;
  assert.equal(late?.cause, "timed_out");
  assert.match(
    late?.for_model ?? "",
    /^timed out: It took longer than 2 s and was interrupted[\s\S]*begun[\s\S]*KeyboardInterrupt/,
  );
  assert.equal(kept?.output, "7\n");
  assert.equal(stuck?.cause, "timed_out");
  assert.match(stuck?.for_model ?? "", /values are lost/);
  assert.equal(fresh?.output, "False\n");
});

test("a kernel that dies is a result with its cause, and the next cell has a new one", {
  timeout: 300_000,
}, async () => {
  const { results } = await inside(
    [
      python("z = 1\nprint('begun', flush=True)"),
      python("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
      python("print('z' in globals())"),
      python("import os\nos._exit(3)"),
      python("b = bytearray(2_000_000_000)"),
      python("print('on')"),
      ["shell", { command: "python3 -c 'b = bytearray(2_000_000_000)'; echo code $?" }],
      ["shell", { command: "python3 -c 'b = bytearray(2_000_000_000)'" }],
      ["shell", { command: "echo on" }],
    ],
    { memory: "400m" },
  );
  const [, killed, after, left, memory, on, caught, shell, last] = results;
  assert.deepEqual([killed?.cause, killed?.signal], ["signalled", "SIGKILL"]);
  assert.match(killed?.for_model ?? "", /The Python kernel died[\s\S]*values are lost/);
  assert.equal(after?.output, "False\n");
  assert.deepEqual([left?.cause, left?.exit_code], ["exited", 3]);
  assert.equal(memory?.cause, "out_of_memory", memory?.for_model ?? "");
  assert.match(memory?.for_model ?? "", /^out of memory[\s\S]*values are lost/);
  assert.equal(on?.output, "on\n");
  assert.equal(caught?.output, "code 137\n");
  assert.equal(shell?.cause, "out_of_memory", shell?.for_model ?? "");
  assert.equal(last?.output, "on\n");
});

/** Another client of the agent's kernel, as Jupyter Lab is one. */
const SOMEBODY = `
import jupyter_client, os, sys, time
client = jupyter_client.BlockingKernelClient(connection_file=os.path.expanduser("~/.sealwork/kernel.json"))
client.load_connection_file()
client.start_channels()
client.wait_for_ready(timeout=30)
`;
const somebody = (code: string): string => `cat > /tmp/somebody.py <<'END'\n${SOMEBODY}${code}\nEND\n`;

test("a kernel is shared with other people: values both ways, cells one after the other, each with its own output", {
  timeout: 300_000,
}, async () => {
  const cell = "import time\nprint('theirs')\nopen('/tmp/begun', 'w')\ntime.sleep(4)\ny = x + 1\n1 / 0";
  const start = `${somebody(`client.execute(${JSON.stringify(cell)})`)}python3 /tmp/somebody.py`;
  const { results } = await inside([
    python("x = 41"),
    ["shell", { command: `${start}\nuntil [ -e /tmp/begun ]; do sleep 0.01; done` }],
    python("print('mine', y)", { timeout_s: 2 }),
    python("print('again', y)"),
  ]);
  const [, , waited, again] = results;
  assert.equal(waited?.cause, "exited", waited?.for_model ?? "");
  assert.match(waited?.for_model ?? "", /^ok .*\nmine 42\n$/);
  assert.match(waited?.output ?? "", /^Waiting for the kernel: .*\nmine 42\n$/);
  assert.equal(again?.output, "again 42\n");
});

test("a kernel that somebody restarts has a successor for both, and the next step says that values are lost", {
  timeout: 300_000,
}, async () => {
  const restart = `client.control_channel.send(client.session.msg("shutdown_request", {"restart": True}))
import socket
def listens():
    return socket.socket(socket.AF_UNIX).connect_ex(f"{client.ip}-{client.hb_port}") == 0
while listens(): time.sleep(0.01)
while not listens(): time.sleep(0.01)
client.wait_for_ready(timeout=30)
client.execute("z = 7", reply=True, timeout=30)`;
  const { results } = await inside([
    python("x = 41"),
    ["shell", { command: `${somebody(restart)}python3 /tmp/somebody.py` }],
    python("print('x' in globals(), z)"),
    python("print(z)"),
  ]);
  const [, , after, later] = results;
  assert.match(after?.for_model ?? "", /^ok .*\nThe kernel had ended since the last call.*\nFalse 7\n$/);
  assert.match(later?.for_model ?? "", /^ok \(\S+ s\)\n7\n$/);
});

test("100 MB of output neither hang a cell nor the next one", { timeout: 300_000 }, async () => {
  const { results } = await inside([
    python("for i in range(1000):\n    print('x' * 100_000)\nprint('last')"),
    python("print('on')"),
  ]);
  assert.equal(results[0]?.exit_code, 0);
  assert.ok((results[0]?.for_model.length ?? 0) < 70_000);
  assert.match(results[1]?.for_model ?? "", /\non\n$/);
});

test("a value that is too large to be shown is told so, and the next cell runs", {
  timeout: 300_000,
}, async () => {
  const { results } = await inside([
    python("from IPython.display import HTML\nHTML('é' * 20_000_000)"),
    python("'y' * 1_000_000"),
    python("raise ValueError('z' * 5_000_000)"),
    python("print('on')"),
  ]);
  assert.match(results[0]?.for_model ?? "", /too large to be shown/);
  assert.ok((results[1]?.for_model.length ?? 0) < 70_000);
  assert.equal(results[1]?.displayed[0]?.blob?.length, 64);
  assert.ok((results[2]?.for_model.length ?? 0) < 70_000);
  assert.equal(results[3]?.output, "on\n");
});

test("an image without Python, and one without the kernel, say what is missing", {
  timeout: 300_000,
}, async () => {
  const bare = await inside([python("1")], { env: { PATH: "/nowhere" } });
  assert.equal(bare.results[0]?.cause, "not_started");
  assert.match(bare.results[0]?.for_model ?? "", /Python \(python3\) is not in this image/);
  const hide = "mkdir /tmp/hidden; echo \"raise ImportError(name='ipykernel')\" > /tmp/hidden/ipykernel.py";
  const without = await inside([["shell", { command: hide }], python("1")], {
    env: { PYTHONPATH: "/tmp/hidden" },
  });
  assert.match(
    without.results[1]?.for_model ?? "",
    /module ipykernel is not in this image.*python3-ipykernel/,
  );
});

test("files are searched with ripgrep, as .gitignore says", { timeout: 300_000 }, async () => {
  const { results } = await inside([
    [
      "shell",
      {
        command:
          "mkdir -p src big; echo 'let answer = 42' > src/a.ts; echo answer > big/b.log; echo big > .gitignore; seq 100000 > n.txt",
      },
    ],
    ["search_files", { pattern: "ans\\w+ = \\d+" }],
    ["search_files", { pattern: "answer", glob: "*.py" }],
    ["search_files", { pattern: "(" }],
    ["search_files", { pattern: "1", path: "n.txt" }],
  ]);
  assert.equal(results[1]?.for_model, "src/a.ts:1:let answer = 42");
  assert.equal(results[2]?.for_model, "No line matches.");
  assert.match(results[3]?.for_model ?? "", /^Error: exit code 2\n[\s\S]*unclosed group/);
  assert.match(results[4]?.for_model ?? "", /^n\.txt:1:1\nn\.txt:10:10\n[\s\S]*there are more/);
});
