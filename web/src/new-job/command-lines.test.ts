import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { cliLine, curlLine } from "./command-lines.ts";
import { type Draft, EMPTY_DRAFT } from "./draft.ts";
import type { InputFile, Inputs } from "./inputs.ts";
import { requestOf } from "./job-request.ts";

const run = promisify(execFile);
const NO_INPUTS: Inputs = { files: [], archive: null };
const ORIGIN = "http://127.0.0.1:8000";
/** Says what it was called with and what it was given, so that a test sees what a shell makes of a line. */
const SAYS_HOW_IT_WAS_CALLED = `#!${process.execPath}
const fs = require("node:fs");
const wants_input = process.argv.some((word) => word === "-" || word === "@-" || word.endsWith("=<-"));
process.stdout.write(JSON.stringify({ args: process.argv.slice(2), input: wants_input ? fs.readFileSync(0, "utf8") : null }));
`;
let programs = "";

before(async () => {
  programs = await mkdtemp(join(tmpdir(), "sw-lines-"));
  for (const name of ["sealwork", "curl"]) {
    await writeFile(join(programs, name), SAYS_HOW_IT_WAS_CALLED);
    await chmod(join(programs, name), 0o755);
  }
});
after(() => rm(programs, { recursive: true, force: true }));

async function called(line: string, env: Record<string, string> = {}) {
  const { stdout } = await run("sh", ["-c", line], {
    env: { PATH: `${programs}:${process.env.PATH}`, SEALWORK_TOKEN: "t0ken", ...env },
  });
  return JSON.parse(stdout) as { args: string[]; input: string | null };
}

function draft(fields: Partial<Draft>): Draft {
  return { ...EMPTY_DRAFT, ...fields };
}

const file = (path: string): InputFile => ({ path, file: new File(["x"], path) });

/** The JSON of the job in a call of curl, wherever it stands. */
function jobOf({ args, input }: Awaited<ReturnType<typeof called>>): unknown {
  const word = args.find((one) => one.startsWith("job={") || one.startsWith("{"));
  return JSON.parse(word?.replace(/^job=/, "") ?? input ?? "");
}

const NASTY = [
  "It's \"quoted\", isn't it?",
  "$HOME `id` $(id) \\ \\n !! * ? ~ # ; & | < >",
  "-starts like an option",
  "README.md",
  "-",
  "two lines\nand ' a quote",
  "ends a document\nEND\nEND_2\nand goes on",
  "```sh\necho \"$HOME\" 'x' \\\\ `date`\n```\n",
  "  indented\n\ttab\r\nends of Windows\n\n\n",
  "Grüße 你好 🙂 \u2028 \u0001",
  "ends the paste \u001b[201~\r\u0003 touch owned\n\\033 \u007f\u009b201~ 'x",
];

test("whatever the prompt is, the shell hands over exactly what the page sends, to both programs", async () => {
  for (const prompt of NASTY) {
    const typed = draft({ prompt });
    const { request } = requestOf(typed);
    const cli = await called(cliLine(typed, NO_INPUTS));
    assert.equal(cli.args[0], "run");
    const last = cli.args.at(-1);
    assert.equal(last === "-" ? cli.input : last, request.prompt, "the command line client's task");
    assert.deepEqual(jobOf(await called(curlLine(typed, NO_INPUTS, ORIGIN))), request, "curl's body");
    const inputs: Inputs = { files: [file("a.txt")], archive: null };
    assert.deepEqual(jobOf(await called(curlLine(typed, inputs, ORIGIN))), request, "curl's part");
  }
});

test("nothing in a line is a key to a terminal that it is pasted into", () => {
  for (const prompt of NASTY)
    for (const inputs of [NO_INPUTS, { files: [file("a.txt")], archive: null }])
      for (const line of [cliLine(draft({ prompt }), inputs), curlLine(draft({ prompt }), inputs, ORIGIN)])
        assert.doesNotMatch(line, /[\x00-\x08\x0b-\x1f\x7f-\x9f]/, JSON.stringify(prompt));
});

test("a prompt that could be taken for a file or an option is handed over as text", async () => {
  for (const prompt of ["README.md", "examples/x", "-x y", "-"]) {
    const { args, input } = await called(cliLine(draft({ prompt }), NO_INPUTS));
    assert.deepEqual([args, input], [["run", "-"], prompt]);
  }
});

test("a prompt that is too long for an argument goes through standard input", async () => {
  const prompt = `${"It's long: $x `y` \\ ".repeat(20_000)}end`;
  const typed = draft({ prompt, env: [{ key: 1, name: "KEY", value: "secret" }] });
  const line = cliLine(typed, NO_INPUTS);
  assert.match(line, /^printf %s /);
  assert.equal((await viaFile(line, { KEY: "v" })).input, prompt);
  const by_curl = await viaFile(curlLine(typed, NO_INPUTS, ORIGIN), { KEY: "v" });
  assert.deepEqual(JSON.parse(by_curl.input ?? ""), { prompt, env: { KEY: "v" } });
  const plain = await viaFile(curlLine(draft({ prompt }), { files: [file("a")], archive: null }, ORIGIN), {});
  assert.deepEqual(JSON.parse(plain.input ?? ""), { prompt });
});

/** As a script, because the test's own argument to the shell would be too long. */
async function viaFile(line: string, env: Record<string, string>) {
  const script = join(programs, "line.sh");
  await writeFile(script, line);
  return called(`. ${script}`, env);
}

test("secrets never stand in a line; the shell puts its own variables in", async () => {
  const typed = draft({
    prompt: "Use the keys.",
    env: [
      { key: 1, name: "API_KEY", value: "very-secret" },
      { key: 2, name: "OTHER", value: "also secret" },
      { key: 3, name: "not a name", value: "" },
    ],
  });
  const env = { API_KEY: "one", OTHER: "two words" };
  for (const line of [cliLine(typed, NO_INPUTS), curlLine(typed, NO_INPUTS, ORIGIN)])
    assert.doesNotMatch(line, /secret/);
  const { args } = await called(cliLine(typed, NO_INPUTS), env);
  assert.deepEqual(args.slice(1, 5), ["--env", "API_KEY", "--env", "OTHER"]);
  assert.deepEqual(jobOf(await called(curlLine(typed, NO_INPUTS, ORIGIN), env)), {
    prompt: "Use the keys.",
    env,
  });
});

test("every choice has its option, as it was typed", async () => {
  const typed = draft({
    prompt: "All of it.",
    agent: "native",
    model: "google/gemini x",
    template: "desktop",
    cpus: "1.5",
    memory: "512m",
    disk: "1g",
    pids: "64",
    timeout: "1h30m",
    idle_timeout: "15m",
    egress: "allow",
    hosts: "example.org, *.example.com\nx.test:8443",
    max_tokens: "1000",
    max_cost: "0.5",
    max_calls: "9",
    approval: "risky",
    approval_timeout: "5m",
    linger: "10m",
    priority: "-5",
    labels: [
      { key: 1, name: "team", value: "it's us" },
      { key: 2, name: "urgent", value: "" },
    ],
    patch: true,
  });
  const { args } = await called(cliLine(typed, NO_INPUTS));
  assert.deepEqual(
    args.join("|"),
    "run|--agent|native|--model|google/gemini x|--template|desktop|--egress|allow|--allow|example.org|--allow|*.example.com" +
      "|--allow|x.test:8443|--approve|risky|--cpus|1.5|--memory|512m|--disk|1g|--pids|64|--timeout|1h30m|--idle-timeout|15m" +
      "|--max-tokens|1000|--max-cost|0.5|--max-calls|9|--approve-timeout|5m|--linger|10m|--priority=-5" +
      "|--label|team=it's us|--label|urgent|--patch|All of it.",
  );
  assert.deepEqual(jobOf(await called(curlLine(typed, NO_INPUTS, ORIGIN))), requestOf(typed).request);
});

test("files go as parts of the form under their paths, with what curl would read in them quoted", async () => {
  const inputs: Inputs = {
    files: [file("data/it's.csv"), file('odd;"na\\me",x'), file("-dash")],
    archive: file("my site.zip"),
  };
  const typed = draft({ prompt: "Look at the files." });
  const { args } = await called(curlLine(typed, inputs, ORIGIN));
  const parts = args.flatMap((word, n) => (args[n - 1] === "-F" ? [word] : []));
  assert.deepEqual(parts, [
    "archive=@my site.zip",
    "files=@data/it's.csv;filename=data/it's.csv",
    String.raw`files=@"odd;\"na\\me\",x";filename="odd;\"na\\me\",x"`,
    "files=@-dash;filename=-dash",
  ]);
  assert.equal(
    args[args.indexOf("--form-string") + 1],
    '{"prompt":"Look at the files."}'.replace(/^/, "job="),
  );
  const [unzip, ...rest] = cliLine(typed, inputs).split("\n");
  assert.equal(unzip, "unzip -q 'my site.zip' -d 'my site'");
  const cli = await called(rest.join("\n"));
  assert.deepEqual(cli.args, [
    ...["run", "--dir", "my site", "--file", "data/it's.csv", "--file", 'odd;"na\\me",x', "--file=-dash"],
    "Look at the files.",
  ]);
});
