import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { NewFile } from "../src/artifacts/durable-file.ts";
import { deflatedZeroes, type ForgedEntry, forgeZip } from "../src/artifacts/forged-zip.ts";
import { ZipWriter } from "../src/artifacts/zip-writer.ts";
import { ScheduleAnswer } from "../src/contract/api.ts";
import { answered, refused } from "./answers.ts";
import { run, script, TestOrchestrator } from "./harness.ts";

const PROMPT = script("echo fine");
const FLOOD = 3_000;
const FLOOD_BATCH = 50;
/** After the same flood twice, memory may be this many times what it was after the first. */
const GROWTH_MAX = 1.3;

let orchestrator: TestOrchestrator;
before(async () => {
  orchestrator = await TestOrchestrator.start();
});
after(async () => {
  await orchestrator[Symbol.asyncDispose]();
});

function schedule(body: string): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return orchestrator.fetch("/schedule", { method: "POST", headers, body });
}

function upload(parts: { archive?: Buffer; files?: Record<string, string> }): Promise<Response> {
  const form = new FormData();
  form.append("job", JSON.stringify({ prompt: PROMPT }));
  for (const [path, content] of Object.entries(parts.files ?? {}))
    form.append("files", new Blob([content]), path);
  if (parts.archive !== undefined) form.append("archive", new Blob([new Uint8Array(parts.archive)]), "a.zip");
  return orchestrator.fetch("/schedule", { method: "POST", body: form });
}

/** What lies in the folder that requests can add to. */
async function kept(): Promise<string[]> {
  return (await readdir(join(orchestrator.data, "jobs"), { recursive: true })).sort();
}

/** The answer to a request that only announces its body: one that is being sent may be cut off before its answer is read. */
async function announced(length: number): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const headers = {
    authorization: `Bearer ${orchestrator.token}`,
    "content-type": "application/json",
    "content-length": length,
  };
  const asked = request(`${orchestrator.url}/schedule`, { method: "POST", headers }, async (answer) => {
    const text = (await Array.fromAsync(answer.setEncoding("utf8"))).join("");
    const type = answer.headers["content-type"] ?? "";
    resolve(new Response(text, { status: answer.statusCode ?? 0, headers: { "content-type": type } }));
    asked.destroy();
  });
  asked.on("error", reject);
  asked.flushHeaders();
  return promise;
}

test("a body that is not JSON is a 400", async () => {
  for (const body of ["", "{", "prompt=x", "null\0", '{"prompt": "x",}'])
    await refused(await schedule(body), 400, "invalid_json");
});

test("a body that breaks the schema is a 422 that names each field", async () => {
  const cases: [unknown, string[]][] = [
    [[], []],
    [{}, ["prompt"]],
    [{ prompt: 5 }, ["prompt"]],
    [{ prompt: "  \n" }, ["prompt"]],
    [{ prompt: "x".repeat(1024 * 1024) }, ["prompt"]],
    [{ prompt: "just words" }, ["prompt"]],
    [{ prompt: PROMPT, colour: "red" }, ["colour"]],
    [{ prompt: PROMPT, agent: "nobody" }, ["agent"]],
    [{ prompt: PROMPT, template: "nothing" }, ["template"]],
    [{ prompt: PROMPT, template: "__proto__" }, ["template"]],
    [{ prompt: PROMPT, template: "constructor" }, ["template"]],
    [{ prompt: PROMPT, env: { "a b": "x" } }, ["env"]],
    [{ prompt: PROMPT, labels: "x" }, ["labels"]],
    [{ prompt: PROMPT, priority: 1.5 }, ["priority"]],
    [{ prompt: PROMPT, patch: "yes" }, ["patch"]],
    ...["cpus", "memory_bytes", "disk_bytes", "pids", "timeout_s", "idle_timeout_s"].flatMap((name) =>
      [0, -1, 1e300, "5", null].map((value): [unknown, string[]] => [
        { prompt: PROMPT, limits: { [name]: value } },
        ["limits", name],
      ]),
    ),
  ];
  for (const [body, field] of cases) {
    const error = await refused(await schedule(JSON.stringify(body)), 422, "invalid_request");
    const named = error.details?.[0]?.loc.slice(0, field.length + 1);
    assert.deepEqual(named, ["body", ...field], JSON.stringify(body).slice(0, 200));
  }
});

test("limits above what the machine has are refused with what it has", async () => {
  for (const [name, value] of [
    ["cpus", 1000],
    ["memory_bytes", 2 ** 43],
  ] as const) {
    const body = JSON.stringify({ prompt: PROMPT, limits: { [name]: value } });
    const error = await refused(await schedule(body), 422, "invalid_request");
    assert.deepEqual(error.details?.[0]?.loc, ["body", "limits", name]);
    assert.match(error.message, /This machine has/);
  }
});

test("what no model is there for, a script cannot use, or a policy leaves no room for is refused by name", async () => {
  for (const [request, loc, words] of [
    [{ model: "gemini" }, ["model"], /GEMINI_API_KEY/],
    [{ agent: "native" }, ["model"], /GEMINI_API_KEY/],
    [{ agent: "gemini-cli" }, ["model"], /speaks the google protocol/],
    [{ prompt: "Do something." }, ["prompt"], /docs\/models\.md/],
    [{ egress: { policy: "none", hosts: ["example.org"] } }, ["egress", "hosts"], /policy is none/],
    [{ egress: { hosts: ["10.0.0.1"] } }, ["egress", "hosts", 0], /addresses are not taken/],
    [{ approval: { policy: "sometimes" } }, ["approval", "policy"], /never.*risky.*always/],
    [{ budget: { max_calls: 0 } }, ["budget", "max_calls"], />0/],
  ] as const) {
    const body = JSON.stringify({ prompt: PROMPT, ...request });
    const error = await refused(await schedule(body), 422, "invalid_request");
    assert.deepEqual(error.details?.[0]?.loc, ["body", ...loc], body);
    assert.match(error.details?.[0]?.msg ?? "", words);
  }
});

/** What the routes that want a body are given. */
const BODIES = {
  "/messages": { text: "Hello." },
  "/approvals/{n}": { decision: "deny" },
  "/egress": { host: "example.org" },
  "/desktop/control": { viewer: "anna-7f3a9c", take: true },
  "/desktop/clipboard": { enabled: false },
};

function bodyFor(path: string, method: string): RequestInit {
  const json = (value: object): RequestInit => ({
    body: JSON.stringify(value),
    headers: { "content-type": "application/json" },
  });
  if (method === "patch") return json({ path: "b" });
  if (method === "put" && path.endsWith("/archive"))
    return { body: "", headers: { "content-type": "application/x-tar" } };
  if (method === "post" && path.endsWith("/files")) {
    const form = new FormData();
    form.append("files", new Blob(["x"]), "a");
    return { body: form };
  }
  const given = Object.entries(BODIES).find(([end]) => path.endsWith(end))?.[1];
  return given === undefined ? {} : json(given);
}

test("malformed ids are 400 and unknown ones 404 on every route", async () => {
  const answer = await orchestrator.fetch("/openapi.json");
  const { paths } = (await answer.json()) as { paths: Record<string, Record<string, unknown>> };
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    path.includes("{id}") ? Object.keys(methods).map((method) => ({ path, method })) : [],
  );
  assert(routes.length >= 12);
  for (const { path, method } of routes) {
    if (method === "head") continue;
    const ask = (id: string) => {
      const filled = path
        .replace("{id}", id)
        .replace("{path}", "a")
        .replace("{n}", "1")
        .replace("{port}", "5173")
        .replace("{terminal}", "t1")
        .replace("{sha256}", "0".repeat(64));
      return orchestrator.fetch(filled, { method: method.toUpperCase(), ...bodyFor(path, method) });
    };
    for (const id of ["x", "1", "..%2f..%2fetc", `${randomUUID()}0`, "%00", "'; drop table jobs"])
      await refused(await ask(id), 400, "invalid_id");
    await refused(await ask(randomUUID()), 404, "not_found");
  }
});

test("paths that lead out of the workspace are refused, while a job works and after it", async () => {
  const prompt = script("ln -s /etc out; echo ready; sleep 600");
  const { job_id } = await answered(ScheduleAnswer, await schedule(JSON.stringify({ prompt })));
  await orchestrator.untilPrinted(job_id, "ready");
  const tryAll = async () => {
    for (const path of ["..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "a%2f..%2f..%2fb", "%252e%252e%252fx"])
      await refused(await orchestrator.fetch(`/jobs/${job_id}/files/${path}`), 400, "invalid_path");
    await refused(await orchestrator.fetch(`/jobs/${job_id}/files?path=../..`), 400, "invalid_path");
    const through = await orchestrator.fetch(`/jobs/${job_id}/files/out/passwd`);
    assert(through.status === 400 || through.status === 404, `${through.status}`);
    assert(!(await through.text()).includes("root:"));
  };
  await tryAll();
  await orchestrator.cancel(job_id);
  await orchestrator.ended(job_id);
  await tryAll();
});

test("hostile archives and file names are refused with the entry's name, and leave nothing behind", async () => {
  const before_all = await kept();
  const link = (name: string, content: string): ForgedEntry => ({ name, content, mode: 0o120777 });
  const zeroes = deflatedZeroes(1024);
  const cases: [ForgedEntry[], RegExp][] = [
    [[{ name: "../evil", content: "x" }], /\.\.\/evil/],
    [[{ name: "a/../../evil", content: "x" }], /evil/],
    [[{ name: "/etc/evil", content: "x" }], /evil/],
    [[{ name: "C:\\evil", content: "x" }], /evil/],
    [[link("out", "/etc/passwd")], /out/],
    [[link("out", "../../x")], /out/],
    [[link("d", "."), { name: "d/x", content: "x" }], /d/],
    [[{ name: ".sealwork/result.json", content: "{}" }], /reserved/],
    [[{ name: "zeroes", packed: zeroes, unpacked_bytes: 1024 ** 3, crc: 0 }], /zeroes/],
    [[{ name: "lie", packed: zeroes, unpacked_bytes: 10, crc: 0 }], /lie|archive/],
  ];
  for (const [entries, named] of cases) {
    const error = await refused(await upload({ archive: forgeZip(entries) }), 400, "invalid_upload");
    assert.match(error.message, named);
  }
  for (const path of ["../evil", "/etc/evil", "a//../../b"])
    await refused(await upload({ files: { [path]: "x" } }), 400, "invalid_upload");
  await refused(await upload({ archive: Buffer.from("no ZIP at all") }), 400, "invalid_upload");
  const crowd = await refused(await upload({ archive: await manyEntries(100_000) }), 400, "invalid_upload");
  assert.match(crowd.message, /100000 entries/);
  assert.deepEqual(await kept(), before_all);
});

async function manyEntries(count: number): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), "sw-zip-"));
  try {
    await using directory = await NewFile.create(join(folder, "directory"));
    const chunks: Buffer[] = [];
    const zip = new ZipWriter(async (chunk) => void chunks.push(Buffer.from(chunk)), directory);
    const empty = Buffer.alloc(0);
    for (let n = 0; n < count; n += 1)
      await zip.addWhole({ path: `f${n}`, mode: 0o100644, modified_at: new Date(0) }, empty);
    await zip.finish();
    return Buffer.concat(chunks);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("wrong methods, unknown routes, large bodies and strange types are told apart", async () => {
  const wrong = await orchestrator.fetch("/schedule", { method: "DELETE" });
  assert.match(wrong.headers.get("allow") ?? "", /POST/);
  await refused(wrong, 405, "method_not_allowed");
  await refused(await orchestrator.fetch("/nothing/here"), 404, "not_found");
  await refused(await announced(5 * 1024 * 1024), 413, "body_too_large");
  const text = { method: "POST", headers: { "content-type": "text/plain" }, body: "x" };
  await refused(await orchestrator.fetch("/schedule", text), 415, "unsupported_media_type");
  for (const query of ["limit=0", "limit=x", "cursor=garbage", "status=happy", "nothing=1"])
    await refused(await orchestrator.fetch(`/jobs?${query}`), 422, "invalid_request");
});

test("thousands of bad requests leave nothing behind and do not make the server grow", async () => {
  const before_all = await kept();
  const large = JSON.stringify({ prompt: 5, labels: { x: "y".repeat(100_000) } });
  const flood = async () => {
    for (let sent = 0; sent < FLOOD; sent += FLOOD_BATCH)
      await Promise.all(
        Array.from({ length: FLOOD_BATCH }, async (_, n) => {
          const answer = await (n % 5 === 0
            ? schedule(large)
            : n % 5 === 1
              ? upload({ files: { [`../${sent}-${n}`]: "x" } })
              : orchestrator.fetch(n % 5 === 2 ? `/status/${randomUUID()}` : `/nothing/${sent}/${n}`));
          await answer.arrayBuffer();
          assert(answer.status >= 400 && answer.status < 500, `${answer.status}`);
        }),
      );
  };
  await flood();
  const warm = await orchestrator.memory_bytes();
  await flood();
  const grown = (await orchestrator.memory_bytes()) / warm;
  assert(grown < GROWTH_MAX, `its memory is ${grown.toFixed(2)} times what it was`);
  assert.deepEqual(await kept(), before_all);
  const label = ["--filter", `label=sealwork.installation=${await orchestrator.installation()}`];
  assert.equal((await run("docker", ["ps", "-aq", ...label])).stdout, "");
  assert.equal((await run("docker", ["volume", "ls", "-q", ...label])).stdout, "");
  const log = await readFile(join(orchestrator.data, "holder.json"), "utf8");
  assert.equal(JSON.parse(log).pid, orchestrator.pid, "it is still the same process");
});

test("two hundred reads a second are never refused, and far more than the limit are, with a time to wait", async () => {
  await using limited = await TestOrchestrator.start({ config: { requests_per_second: 200 } });
  const reads = async (count: number) => {
    const answers = await Promise.all(Array.from({ length: count }, () => limited.fetch("/healthz")));
    await Promise.all(answers.map((answer) => answer.clone().arrayBuffer()));
    return answers;
  };
  for (const answer of await reads(200)) assert.equal(answer.status, 200);
  let over: Response | undefined;
  for (let round = 0; round < 30 && over === undefined; round += 1)
    over = (await reads(200)).find(({ status }) => status !== 200);
  assert(over !== undefined, "a client that never stops is refused at last");
  assert(Number(over.headers.get("retry-after")) > 0);
  await refused(over, 429, "too_many_requests");
});
