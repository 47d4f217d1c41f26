import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import { AppError } from "../contract/errors.ts";
import { startServer, type TestServer } from "./test-server.fake.ts";

let server: TestServer;
before(async () => {
  server = await startServer({ upload_max_bytes: 1_000_000 });
});
after(() => server[Symbol.asyncDispose]());

const file = (content: string, name: string): [Blob, string] => [new Blob([content]), name];
async function send(form: FormData, headers: Record<string, string> = {}) {
  const answer = await fetch(`${server.url}/schedule`, { method: "POST", body: form, headers });
  return { status: answer.status, text: await answer.text() };
}

test("files of a multipart body reach the orchestrator with their folders, the archive too", async () => {
  const form = new FormData();
  form.append("job", JSON.stringify({ prompt: "with files" }));
  form.append("files", ...file("one", "input/ü/a.csv"));
  form.append("files", ...file("../ is judged by who keeps it", "../evil"));
  form.append("archive", ...file("zip", "w.zip"));
  const { status, text } = await send(form);
  assert.equal(status, 200, text);
  assert.deepEqual(Object.keys(JSON.parse(text)), ["job_id", "status", "links"]);
  assert.deepEqual(
    server.orchestrator.uploads.map(({ path }) => path),
    ["input/ü/a.csv", "../evil", "(archive)"],
  );
});

test("a multipart body without the job first, with unknown parts, two archives or bad JSON is refused", async () => {
  const cases: [(form: FormData) => void, RegExp][] = [
    [(form) => form.append("files", ...file("x", "x")), /invalid_upload.*must be `job`/],
    [
      (form) => {
        form.append("job", '{"prompt":"x"}');
        form.append("nope", "x");
      },
      /invalid_upload.*nope/,
    ],
    [
      (form) => {
        form.append("job", '{"prompt":"x"}');
        form.append("archive", ...file("a", "a"));
        form.append("archive", ...file("b", "b"));
      },
      /invalid_upload.*more than one/,
    ],
    [(form) => form.append("job", "{"), /invalid_json/],
    [(form) => form.append("job", '{"prompt":5}'), /invalid_request.*"loc":\["body","prompt"\]/],
    [
      (form) => {
        form.append("job", '{"prompt":"x"}');
        form.append("files", ...file("x".repeat(1_100_000), "x"));
      },
      /body_too_large/,
    ],
  ];
  for (const [fill, expected] of cases) {
    const form = new FormData();
    fill(form);
    assert.match((await send(form)).text, expected);
  }
});

test("a multipart body that is cut short or no multipart is refused", async () => {
  const post = async (body: string, type: string) => {
    const answer = await fetch(`${server.url}/schedule`, {
      method: "POST",
      body,
      headers: { "content-type": type },
    });
    return `${answer.status} ${await answer.text()}`;
  };
  const head = '--b\r\nContent-Disposition: form-data; name="job"\r\n\r\n{"prompt":"x"}';
  assert.match(await post(head, "multipart/form-data; boundary=b"), /^400 .*invalid_upload/);
  assert.match(await post("garbage", "multipart/form-data; boundary=b"), /^400 .*invalid_upload/);
  assert.match(await post("garbage", "multipart/form-data"), /^4\d\d .*"error"/);
});

test("when the orchestrator refuses before it has read the files, the client still reads why", async () => {
  server.orchestrator.refuse = new AppError({ code: "queue_full", message: "No place." });
  const form = new FormData();
  form.append("job", '{"prompt":"x"}');
  form.append("files", ...file("x".repeat(900_000), "large"));
  const { status, text } = await send(form);
  server.orchestrator.refuse = null;
  assert.equal(status, 429);
  assert.match(text, /No place/);
});

test("the ZIP has its SHA-256 as ETag, takes a range, and knows who has it already", async () => {
  const { job_id } = server.orchestrator.add("complete");
  const { zip } = server.orchestrator;
  const get = (headers: Record<string, string> = {}, method = "GET") =>
    fetch(`${server.url}/download/${job_id}`, { headers, method });
  const whole = await get();
  const etag = `"${createHash("sha256").update(zip).digest("hex")}"`;
  assert.deepEqual(
    [whole.status, whole.headers.get("etag"), await whole.text()],
    [200, etag, zip.toString()],
  );
  assert.match(whole.headers.get("content-disposition") ?? "", /attachment; filename="sealwork-/);
  for (const [range, expected] of [
    ["bytes=0-1", "PK"],
    ["bytes=-6", "ranges"],
    [`bytes=${zip.length - 1}-`, "s"],
  ] as const) {
    const part = await get({ range });
    assert.deepEqual([part.status, await part.text()], [206, expected]);
  }
  const beyond = await get({ range: "bytes=1000-" });
  assert.match(`${beyond.status} ${await beyond.text()}`, /^416 .*range_not_satisfiable/);
  assert.equal((await get({ "if-none-match": `"x", ${etag}` })).status, 304);
  const same = await get({ range: "bytes=0-1", "if-range": etag });
  assert.equal(same.status, 206);
  await same.body?.cancel();
  const other = await get({ range: "bytes=0-1", "if-range": '"other"' });
  assert.equal((await other.text()).length, zip.length);
  const head = await get({}, "HEAD");
  assert.deepEqual([head.status, head.headers.get("content-length")], [200, String(zip.length)]);
});

test("before the end there is no ZIP, and the answer says when to ask again", async () => {
  const { job_id } = server.orchestrator.add("running");
  const answer = await fetch(`${server.url}/download/${job_id}`);
  assert.deepEqual([answer.status, answer.headers.get("retry-after")], [404, "2"]);
  assert.match(await answer.text(), /not_ended/);
});

test("a blob and a patch are sent so that no browser runs them, and a blob is kept for who is signed in alone", async () => {
  await using server = await startServer();
  const { orchestrator } = server;
  const { job_id } = orchestrator.add();
  const content = "<script>alert(1)</script>";
  orchestrator.blob = async () => ({ size_bytes: content.length, content: Readable.from([content]) });
  orchestrator.changes = async () => Readable.from([content]);
  const blob = await fetch(`${server.url}/jobs/${job_id}/blobs/${"0".repeat(64)}`);
  assert.equal(await blob.text(), content);
  assert.equal(blob.headers.get("content-type"), "application/octet-stream");
  assert.match(blob.headers.get("content-disposition") ?? "", /^attachment; /);
  // The browser's cache asks again when the cookie is another one, or none.
  assert.match(blob.headers.get("cache-control") ?? "", /private/);
  assert.match(blob.headers.get("vary") ?? "", /\bcookie\b/);
  const patch = await fetch(`${server.url}/jobs/${job_id}/changes`);
  assert.equal(await patch.text(), content);
  assert.equal(patch.headers.get("content-type"), "text/plain; charset=utf-8");
  for (const { headers } of [blob, patch]) {
    assert.match(headers.get("content-security-policy") ?? "", /^sandbox; default-src 'none'$/);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
  }
});

test("a file of the workspace is sent so that no browser runs it, whole or in part", async () => {
  const { job_id } = server.orchestrator.add();
  const url = `${server.url}/jobs/${job_id}/files/${encodeURIComponent("a b/ü.txt")}`;
  const whole = await fetch(url);
  assert.equal(await whole.text(), "0123456789");
  assert.equal(whole.headers.get("content-type"), "application/octet-stream");
  assert.match(whole.headers.get("content-security-policy") ?? "", /^sandbox/);
  assert.match(
    whole.headers.get("content-disposition") ?? "",
    /^attachment; filename="_.txt"; filename\*=UTF-8''%C3%BC.txt$/,
  );
  const part = await fetch(url, { headers: { range: "bytes=2-4" } });
  assert.deepEqual(
    [part.status, part.headers.get("content-range"), await part.text()],
    [206, "bytes 2-4/10", "234"],
  );
  const head = await fetch(url, { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), "10");
  const missing = await fetch(`${server.url}/jobs/${job_id}/files/none`);
  assert.equal(missing.status, 404);
  await missing.body?.cancel();
});

test("a file that turns out shorter than was announced cuts the connection, so that the client neither waits nor takes a part for the whole", async () => {
  const { job_id } = server.orchestrator.add();
  const { place } = server.orchestrator;
  const { read: original } = place;
  place.read = async () => ({
    size_bytes: 100,
    content: Readable.from([Buffer.from("short")]),
  });
  try {
    const signal = AbortSignal.timeout(5_000);
    const answer = await fetch(`${server.url}/jobs/${job_id}/files/a`, { signal });
    assert.equal(answer.headers.get("content-length"), "100");
    await assert.rejects(answer.text());
    assert.equal(signal.aborted, false);
  } finally {
    place.read = original;
  }
});

test("a client that goes away before its part is read ends that request alone", async () => {
  // A server of its own, so that an error that nobody takes counts against this test.
  await using own = await startServer();
  const begun = Promise.withResolvers<void>();
  const read = Promise.withResolvers<Error>();
  own.orchestrator.schedule = async (_request, { upload }, signal) => {
    for await (const part of upload ?? []) {
      begun.resolve();
      await once(signal, "abort");
      await new Promise((resolve) => setImmediate(resolve));
      await Array.fromAsync(part.content).catch(read.resolve);
    }
    throw signal.reason;
  };
  const socket = net.connect(own.port, "127.0.0.1");
  const head =
    "POST /schedule HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 9999\r\n\r\n";
  const job = '--b\r\nContent-Disposition: form-data; name="job"\r\n\r\n{"prompt":"x"}\r\n';
  const begin = '--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nbegun';
  socket.write(head + job + begin);
  await begun.promise;
  socket.destroy();
  assert.match((await read.promise).message, /premature|aborted/i);
});
