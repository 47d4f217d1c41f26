import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { buffer } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { AppError } from "../contract/errors.ts";
import { startServer, type TestServer } from "./test-server.fake.ts";

let server: TestServer;
let base: string;
before(async () => {
  server = await startServer({ upload_max_bytes: 1_000_000 });
  base = `${server.url}/jobs/${server.orchestrator.add().job_id}`;
});
after(() => server[Symbol.asyncDispose]());

async function call(method: string, path: string, init: RequestInit = {}) {
  const answer = await fetch(`${base}${path}`, { method, ...init });
  const text = await answer.text();
  return { status: answer.status, text, headers: answer.headers };
}

test("a file is written from a body of any type, and whether it is new is said", async () => {
  const types = ["application/json", "multipart/form-data; boundary=x", "text/plain", "made/up", ""];
  for (const [index, type] of types.entries()) {
    const headers: Record<string, string> = type === "" ? {} : { "content-type": type };
    const body = Buffer.from(`{ not json: ${index}`);
    const { status, text } = await call("PUT", "/files/a%20b/%C3%BC%0A.txt", { body, headers });
    assert.deepEqual(
      [status, JSON.parse(text)],
      [index === 0 ? 201 : 200, { path: "a b/ü\n.txt", size_bytes: 13, created: index === 0 }],
    );
    assert.equal(String(server.orchestrator.workspace.get("a b/ü\n.txt")), String(body));
  }
  const empty = await call("PUT", "/files/empty");
  assert.deepEqual([empty.status, server.orchestrator.workspace.get("empty")?.length], [201, 0]);
  const kept = await call("PUT", "/files/empty", { body: "x", headers: { "if-none-match": "*" } });
  assert.match(`${kept.status} ${kept.text}`, /^412 .*precondition_failed/);
});

test("a file that is larger than any body with a schema is written", async () => {
  const body = Buffer.alloc(9_000_000, "x");
  assert.equal((await call("PUT", "/files/large", { body })).status, 201);
  assert.equal(server.orchestrator.workspace.get("large")?.length, body.length);
});

test("who sends a file that is refused still reads why", async () => {
  const { place } = server.orchestrator;
  const { write } = place;
  place.write = async (_place, content) => {
    content.destroy();
    throw new AppError({ code: "disk_full", message: "No room." });
  };
  try {
    const { status, text } = await call("PUT", "/files/large", { body: Buffer.alloc(20_000_000) });
    assert.match(`${status} ${text}`, /^507 .*No room/);
  } finally {
    place.write = write;
  }
});

test("a body that breaks off is an error for who reads it, and never its end", async () => {
  const { place } = server.orchestrator;
  const { write } = place;
  const read = Promise.withResolvers<unknown>();
  const begun = Promise.withResolvers<void>();
  place.write = async (_place, content, _options, signal) => {
    content.once("readable", () => begun.resolve());
    signal.addEventListener("abort", () => content.destroy());
    await buffer(content).then(read.reject, read.resolve);
    throw new AppError({ code: "invalid_upload", message: "cut" });
  };
  try {
    const socket = net.connect(server.port, "127.0.0.1");
    await once(socket, "connect");
    const { pathname } = new URL(base);
    socket.write(
      `PUT ${pathname}/files/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999999\r\n\r\nbegun`,
    );
    await begun.promise;
    socket.destroy();
    assert.match(String(await read.promise), /ended before it was complete|[Pp]remature|aborted/);
  } finally {
    place.write = write;
  }
});

test("several files go into a folder; a part without a name, and another part, are refused", async () => {
  const form = new FormData();
  form.append("files", new Blob(["one"]), "x/1.txt");
  form.append("files", new Blob(["two"]), "2.txt");
  const { status, text } = await call("POST", "/files?path=in/&root=home", { body: form });
  assert.deepEqual(
    [status, JSON.parse(text)],
    [
      200,
      {
        files: [
          { path: "in/x/1.txt", size_bytes: 3, created: true },
          { path: "in/2.txt", size_bytes: 3, created: true },
        ],
      },
    ],
  );
  const evil = new FormData();
  evil.append("files", new Blob(["x"]), "../../evil");
  assert.match((await call("POST", "/files?path=in", { body: evil })).text, /invalid_path/);
  const large = new FormData();
  large.append("files", new Blob(["x".repeat(1_100_000)]), "large.txt");
  assert.match((await call("POST", "/files", { body: large })).text, /body_too_large/);
  assert.equal(server.orchestrator.workspace.has("large.txt"), false);
  const other = new FormData();
  other.append("other", "x");
  assert.match((await call("POST", "/files", { body: other })).text, /invalid_upload/);
  assert.match((await call("POST", "/files", { body: "x" })).text, /unsupported_media_type/);
});

test("a multipart body that breaks off in the middle of a file is an error for who reads it", async () => {
  const { place } = server.orchestrator;
  const { write } = place;
  const read = Promise.withResolvers<unknown>();
  const begun = Promise.withResolvers<void>();
  place.write = async (_place, content) => {
    content.once("readable", () => begun.resolve());
    await buffer(content).then(read.reject, read.resolve);
    throw new AppError({ code: "invalid_upload", message: "cut" });
  };
  try {
    const socket = net.connect(server.port, "127.0.0.1");
    await once(socket, "connect");
    const { pathname } = new URL(base);
    const part = '--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n';
    socket.write(
      `POST ${pathname}/files HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 999999\r\n\r\n${part}${"begun".repeat(5000)}`,
    );
    await begun.promise;
    socket.destroy();
    assert.ok((await read.promise) instanceof Error);
  } finally {
    place.write = write;
  }
});

test("moving, making folders and removing reach the files of the job", async () => {
  const { changes_made } = server.orchestrator;
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ path: "b/c" });
  assert.deepEqual((await call("PATCH", "/files/a?root=home", { body, headers })).text, '{"path":"b/c"}');
  assert.equal((await call("PUT", "/folders/x/y")).text, '{"path":"x/y"}');
  assert.equal((await call("DELETE", "/files/x?recursive")).status, 204);
  assert.equal((await call("DELETE", "/files/x")).status, 204);
  assert.deepEqual(changes_made, [
    { change: "rename", root: "home", path: "a", to: "b/c" },
    { change: "make_folder", root: "workspace", path: "x/y" },
    { change: "remove", root: "workspace", path: "x", recursive: true },
    { change: "remove", root: "workspace", path: "x", recursive: false },
  ]);
});

test("an archive is a ZIP, or a tar for who wants one, and a tar can be sent", async () => {
  const zip = await call("GET", "/archive?path=a/b");
  assert.deepEqual([zip.text, zip.headers.get("content-type")], ["zip of a/b", "application/zip"]);
  assert.match(zip.headers.get("content-disposition") ?? "", /filename="b\.zip"/);
  const tar = await call("GET", "/archive", { headers: { accept: "application/x-tar" } });
  assert.deepEqual([tar.text, tar.headers.get("content-type")], ["tar of ", "application/x-tar"]);
  const sent = await call("PUT", "/archive?path=in", { body: "12345" });
  assert.deepEqual([sent.status, sent.text], [200, '{"files":5}']);
});

test("paths and roots that are none are refused by every route", async () => {
  const json = { body: '{"path":"b"}', headers: { "content-type": "application/json" } };
  for (const path of ["..%2fx", "%2fetc", "a%00b", "a//b", "a%252f..%252f..%252fb"]) {
    for (const [method, init] of Object.entries({ GET: {}, PUT: { body: "x" }, PATCH: json, DELETE: {} }))
      assert.match(
        (await call(method, `/files/${path}`, init)).text,
        /invalid_path|no route/,
        `${method} ${path}`,
      );
    assert.match((await call("PUT", `/folders/${path}`)).text, /invalid_path|no route/);
    assert.match((await call("GET", `/archive?path=${path}`)).text, /invalid_path/);
  }
  const out = { ...json, body: '{"path":"../b"}' };
  assert.match((await call("PATCH", "/files/a", out)).text, /invalid_path/);
  for (const path of ["/files?root=etc", "/files/a?root=/", "/archive?root=workspace&x=1"])
    assert.equal((await call("GET", path)).status, 422, path);
});
