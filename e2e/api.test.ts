import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { forgeZip } from "../src/artifacts/forged-zip.ts";
import {
  AgentsAnswer,
  CancelAnswer,
  DoctorAnswer,
  HealthAnswer,
  JobsAnswer,
  RootAnswer,
  ScheduleAnswer,
  TemplatesAnswer,
} from "../src/contract/api.ts";
import { Job, type JobRequestInput } from "../src/contract/job.ts";
import { FileList } from "../src/contract/link-answers.ts";
import { answered, refused } from "./answers.ts";
import { script, TestOrchestrator } from "./harness.ts";
import { assertManifest } from "./job-checks.ts";

let orchestrator: TestOrchestrator;
before(async () => {
  orchestrator = await TestOrchestrator.start({ config: { concurrency: 1 } });
});
after(async () => {
  await orchestrator[Symbol.asyncDispose]();
});

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return orchestrator.fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

async function scheduleWith(request: JobRequestInput, files: Record<string, string | Buffer>) {
  const form = new FormData();
  form.append("job", JSON.stringify(request));
  for (const [path, content] of Object.entries(files))
    form.append("files", new Blob([new Uint8Array(Buffer.from(content))]), path);
  const answer = await orchestrator.fetch("/schedule", { method: "POST", body: form });
  return (await answered(ScheduleAnswer, answer)).job_id;
}

test("the five main routes answer with the shapes of the documentation and nothing beside them", async () => {
  const scheduled = await post("/schedule", { prompt: script("echo hello"), labels: { team: "a" } });
  const { job_id, status, links } = await answered(ScheduleAnswer, scheduled);
  assert(status === "pending" || status === "running");
  assert.deepEqual(Object.keys(links).sort(), [
    "cancel",
    "desktop",
    "download",
    "events",
    "files",
    "jupyter",
    "logs",
    "messages",
    "ports",
    "status",
    "terminal",
  ]);
  const job = await orchestrator.ended(job_id);
  assert.equal(job.status, "complete");

  const raw = await answered(Job, await orchestrator.fetch(links.status));
  assert.equal(raw.reason, null);
  assert.equal(raw.phase, "ended");
  assert(raw.timings.started_at !== null && raw.timings.ended_at !== null);
  assert((raw.result?.artifact?.files ?? 0) >= 4, "the ZIP counts the orchestrator's own files");

  const query = "/jobs?label=team%3Da&status=complete&text=HELLO";
  assert.deepEqual(await answered(JobsAnswer, await orchestrator.fetch(query)), {
    jobs: [raw],
    next_cursor: null,
  });

  const cancelled = await answered(CancelAnswer, await post(`/cancel/${job_id}`, undefined));
  assert.deepEqual(cancelled, { job_id, status: "complete", cancelled: false });

  const zip = await orchestrator.fetch(links.download);
  assert.equal(zip.headers.get("content-type"), "application/zip");
  assert.equal(Number(zip.headers.get("content-length")), raw.result?.artifact?.size_bytes);
  const bytes = Buffer.from(await zip.arrayBuffer());
  assert.equal(createHash("sha256").update(bytes).digest("hex"), raw.result?.artifact?.sha256);
});

test("the list of jobs goes from newest to oldest in pages that miss none", async () => {
  const labels = { page: "yes" };
  const ids: string[] = [];
  for (let n = 0; n < 3; n += 1)
    ids.push(await orchestrator.schedule({ prompt: script(`echo ${n}`), labels }));
  const first = await answered(JobsAnswer, await orchestrator.fetch("/jobs?label=page&limit=2"));
  assert(first.next_cursor !== null);
  const next = `/jobs?label=page&limit=2&cursor=${encodeURIComponent(first.next_cursor)}`;
  const second = await answered(JobsAnswer, await orchestrator.fetch(next));
  assert.deepEqual(
    [...first.jobs, ...second.jobs].map(({ job_id }) => job_id),
    ids.toReversed(),
  );
  assert.equal(second.next_cursor, null);
  for (const id of ids) await orchestrator.cancel(id);
  await Promise.all(ids.map((id) => orchestrator.ended(id)));
});

test("jobs wait for their place by priority and then by age", async () => {
  const running = await orchestrator.schedule({ prompt: script("echo up; sleep 600") });
  await orchestrator.untilPrinted(running, "up");
  const names = ["old", "older-but-low", "high", "young"];
  const ids: string[] = [];
  for (const [name, priority] of [
    [names[1], -5],
    [names[0], 0],
    [names[3], 0],
    [names[2], 7],
  ] as const)
    ids.push(await orchestrator.schedule({ prompt: script(`echo ${name}`), priority }));
  for (const id of ids) assert.equal((await orchestrator.job(id)).phase, "queued");
  const cancelled = await answered(CancelAnswer, await post(`/cancel/${running}`, undefined));
  assert.equal(cancelled.cancelled, true);
  const jobs = await Promise.all(ids.map((id) => orchestrator.ended(id)));
  const order = jobs.toSorted((a, b) =>
    (a.timings.started_at ?? "") < (b.timings.started_at ?? "") ? -1 : 1,
  );
  assert.deepEqual(
    order.map(({ job_id }) => ids.indexOf(job_id)),
    [3, 1, 2, 0],
  );
});

test("uploaded files and folders arrive in the workspace, executable bits of an archive too", async () => {
  const request = { prompt: script("cat 'input/a b/ü.txt'; wc -c < big.bin; ls -A") };
  const job_id = await scheduleWith(request, {
    "input/a b/ü.txt": "content\n",
    "big.bin": Buffer.alloc(3_000_000, 7),
  });
  assert.equal((await orchestrator.ended(job_id)).status, "complete");
  assert.equal(await orchestrator.logs(job_id), "content\n3000000\nbig.bin\ninput\n");

  const archive = forgeZip([
    { name: "bin/tool", content: "#!/bin/sh\necho ran\n", mode: 0o100755 },
    { name: "link", content: "bin/tool", mode: 0o120777 },
  ]);
  const form = new FormData();
  form.append(
    "job",
    JSON.stringify({ prompt: script("bin/tool; ./link; stat -c %A bin/tool; cat extra/x") }),
  );
  form.append("files", new Blob(["extra\n"]), "extra/x");
  form.append("archive", new Blob([new Uint8Array(archive)]), "workspace.zip");
  const answer = await orchestrator.fetch("/schedule", { method: "POST", body: form });
  const unpacked = (await answered(ScheduleAnswer, answer)).job_id;
  assert.equal((await orchestrator.ended(unpacked)).status, "complete");
  assert.equal(await orchestrator.logs(unpacked), "ran\nran\n-rwxr-xr-x\nextra\n");
});

test("the same Idempotency-Key gives the same job, and 409 for another one", async () => {
  const headers = { "idempotency-key": "once-1" };
  const request = { prompt: script("echo once"), env: { SECRET: "s1" } };
  const answers = await Promise.all([1, 2, 3].map(() => post("/schedule", request, headers)));
  const ids = await Promise.all(
    answers.map(async (answer) => (await answered(ScheduleAnswer, answer)).job_id),
  );
  const [job_id = ""] = new Set(ids);
  assert.equal(new Set(ids).size, 1);
  for (const other of [{ prompt: script("echo twice") }, { ...request, env: { SECRET: "s2" } }])
    await refused(await post("/schedule", other, headers), 409, "idempotency_mismatch");
  await orchestrator.stop();
  await orchestrator.restart();
  const again = await post("/schedule", request, headers);
  assert.equal((await answered(ScheduleAnswer, again)).job_id, job_id, "a restart forgets no key");
  await orchestrator.ended(job_id);
});

test("a retry runs the same task with the same files and env", async () => {
  const request = { prompt: script('printf "%s %s" "$NAME" "$(cat in.txt)"'), env: { NAME: "given" } };
  const job_id = await scheduleWith(request, { "in.txt": "file" });
  await orchestrator.ended(job_id);
  const answer = await post(`/jobs/${job_id}/retry`, undefined);
  const again = (await answered(ScheduleAnswer, answer)).job_id;
  const job = await orchestrator.ended(again);
  assert.equal(job.status, "complete");
  assert.equal(job.retry_of, job_id);
  assert.equal(await orchestrator.logs(again), "given file");
  const seen = JSON.stringify([job, await orchestrator.allEvents(again)]);
  assert(!seen.includes('"given"'), "neither the job nor an event shows env beside what the step printed");
});

test("files are listed and read while the job works and after it", async () => {
  const job_id = await orchestrator.schedule({
    prompt: script("mkdir -p out; printf 0123456789 > out/data.txt; echo ready; sleep 600"),
  });
  await orchestrator.untilPrinted(job_id, "ready");
  const look = async () => {
    const root = await answered(FileList, await orchestrator.fetch(`/jobs/${job_id}/files`));
    const out = await answered(FileList, await orchestrator.fetch(`/jobs/${job_id}/files?path=out`));
    const file = await orchestrator.fetch(`/jobs/${job_id}/files/out/data.txt`);
    const part = await orchestrator.fetch(`/jobs/${job_id}/files/out/data.txt`, {
      headers: { range: "bytes=2-4" },
    });
    assert.equal(part.status, 206);
    assert.match(file.headers.get("content-disposition") ?? "", /^attachment/);
    await refused(await orchestrator.fetch(`/jobs/${job_id}/files/none`), 404, "not_found");
    return {
      root: root.entries.map(({ path, type }) => `${type} ${path}`),
      out: out.entries.map(({ path, size_bytes }) => [path, size_bytes]),
      file: await file.text(),
      part: await part.text(),
    };
  };
  const expected = { out: [["out/data.txt", 10]], file: "0123456789", part: "234" };
  const live = await look();
  assert.deepEqual(live, { root: ["folder out"], ...expected });
  await orchestrator.cancel(job_id);
  await orchestrator.ended(job_id);
  const later = await look();
  assert(later.root.includes("folder out"));
  assert.deepEqual({ ...later, root: [] }, { root: [], ...expected });
});

test("code too large for an event is a blob that can be fetched whole", async () => {
  const code = `# ${"x".repeat(20_000)}\necho done`;
  const job_id = await orchestrator.schedule({ prompt: script(code) });
  await orchestrator.ended(job_id);
  const started = (await orchestrator.allEvents(job_id)).find((event) => event.type === "step.started");
  assert(started?.type === "step.started" && started.data.code_blob !== null);
  assert(started.data.code.length <= 16 * 1024);
  const blob = await orchestrator.fetch(`/jobs/${job_id}/blobs/${started.data.code_blob}`);
  assert.equal(blob.status, 200);
  const text = await blob.text();
  assert.equal(text.trim(), code);
  assert.equal(createHash("sha256").update(text).digest("hex"), started.data.code_blob);
  await refused(await orchestrator.fetch(`/jobs/${job_id}/blobs/${"0".repeat(64)}`), 404, "not_found");
});

test("changes gives the patch of a job that asked for one", async () => {
  const prompt = script("echo two >> a.txt; echo new > b.txt; rm gone.txt");
  const job_id = await scheduleWith({ prompt, patch: true }, { "a.txt": "one\n", "gone.txt": "x\n" });
  await orchestrator.ended(job_id);
  const answer = await orchestrator.fetch(`/jobs/${job_id}/changes`);
  assert.equal(answer.status, 200);
  const patch = await answer.text();
  for (const line of ["+two", "+++ b/b.txt", "deleted file mode 100644"]) assert(patch.includes(line), patch);
  assert.equal((await orchestrator.zip(job_id)).get(".sealwork/changes.patch")?.content.toString(), patch);
});

test("the ZIP holds the workspace and a true account of the job", async () => {
  const job_id = await orchestrator.schedule({
    prompt: script("echo said; echo content > file.txt", "echo wrong >&2; exit 3"),
    env: { HIDDEN: "very-secret-value" },
  });
  const job = await orchestrator.ended(job_id);
  assert.equal(job.reason?.code, "step_failed");
  const zip = await orchestrator.zip(job_id);
  assert.equal(zip.get("file.txt")?.content.toString(), "content\n");
  const result = JSON.parse(zip.get(".sealwork/result.json")?.content.toString() ?? "");
  assert.equal(result.status, "error");
  assert.equal(result.exit_code, 3);
  assert.deepEqual(
    result.steps.map(({ exit_code }: { exit_code: number }) => exit_code),
    [0, 3],
  );
  const transcript = zip.get(".sealwork/transcript.md")?.content.toString() ?? "";
  assert(transcript.includes("said") && transcript.includes("wrong"));
  const lines = zip.get(".sealwork/events.ndjson")?.content.toString().trim().split("\n") ?? [];
  const packed = lines.map((line) => JSON.parse(line));
  const events = await orchestrator.allEvents(job_id);
  assert.deepEqual(
    packed,
    events.slice(0, packed.length),
    "what was packed is what is stored, from the first on",
  );
  assert(packed.some(({ type, data }) => type === "phase.changed" && data.phase === "packing"));
  assertManifest(zip);
  for (const [path, { content }] of zip) assert(!content.includes("very-secret-value"), path);
});

test("templates, doctor, health, root, OpenAPI and its page answer", async () => {
  const get = async (path: string) => {
    const answer = await orchestrator.fetch(path);
    assert.equal(answer.status, 200, path);
    return answer;
  };
  const { templates } = await answered(TemplatesAnswer, await get("/templates"));
  assert.equal(templates.find((template) => template.default)?.name, "base");
  const { agents } = await answered(AgentsAnswer, await get("/agents"));
  assert(agents.some(({ name, protocol }) => name === "gemini-cli" && protocol === "google"));
  const doctor = await answered(DoctorAnswer, await get("/doctor"));
  assert(doctor.checks.length > 0, "doctor checks something");
  await answered(HealthAnswer, await get("/healthz"));
  await answered(RootAnswer, await get("/"));
  const browser = { headers: { accept: "text/html" }, redirect: "manual" } as const;
  const led = await orchestrator.fetch("/", browser);
  assert.match(led.headers.get("location") ?? "", /^http:\/\/sealwork\.localhost:\d+\/$/);
  const document = (await (await get("/openapi.json")).json()) as { paths: Record<string, unknown> };
  for (const path of [
    "/schedule",
    "/status/{id}",
    "/jobs",
    "/cancel/{id}",
    "/download/{id}",
    "/events",
    "/jobs/{id}/events",
    "/jobs/{id}/logs",
    "/jobs/{id}/files",
    "/jobs/{id}/files/{path}",
    "/jobs/{id}/blobs/{sha256}",
    "/jobs/{id}/changes",
    "/jobs/{id}/retry",
    "/templates",
    "/doctor",
    "/healthz",
    "/openapi.json",
    "/job/{id}",
    "/logs/{id}",
    "/",
  ])
    assert(document.paths[path] !== undefined, `OpenAPI has ${path}`);
  assert.match(await (await get("/docs")).text(), /<html/i);
});
