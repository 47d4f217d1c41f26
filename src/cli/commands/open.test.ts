import assert from "node:assert/strict";
import { test } from "node:test";
import { browserCommand } from "../browse.ts";
import { world } from "../cli-world.fake.ts";
import type { FakeServer } from "../fake-server.fake.ts";
import { runFake } from "../io.fake.ts";
import { createFakeLocalServer } from "../local-server.fake.ts";

const LISTENING = [
  { port: 5173, address: "127.0.0.1", pid: 7, process: "node vite" },
  { port: 8000, address: "::", pid: null, process: null },
];

/** Lets the server answer for the sandbox of a job. */
function serve(server: FakeServer, ports: object[]): string {
  const { job_id } = server.job({ prompt: "a page" });
  server.intercept = ({ method, path }, answer) => {
    const body =
      method === "POST"
        ? { url: `http://p1-x.localhost:8000/?sealwork-code=c&asked=${encodeURIComponent(path)}` }
        : { ports };
    if (!/\/(ports|jupyter|desktop)/.test(path)) return false;
    answer.setHeader("content-type", "application/json");
    answer.end(JSON.stringify(body));
    return true;
  };
  return job_id;
}

test("ports lists what listens, and how it is opened", async (t) => {
  const { server, io } = await world(t);
  const id = serve(server, LISTENING);
  const done = await runFake(io(), ["ports", id]);
  assert.match(
    done.out(),
    /^PORT {2}ADDRESS {4}PROCESS\n5173 {2}127\.0\.0\.1 {2}node vite\n8000 {2}::\n→ sealwork open \w+ 5173\n$/,
  );
  const json = await runFake(io(), ["ports", id, "--json"]);
  assert.deepEqual(JSON.parse(json.out()), { ports: LISTENING });
});

test("open prints the address, and shows it in the browser on a terminal alone", async (t) => {
  const { server, io } = await world(t);
  const id = serve(server, LISTENING);
  const asked = (path: string) =>
    `http://p1-x.localhost:8000/?sealwork-code=c&asked=${encodeURIComponent(`/jobs/${id}/${path}`)}`;
  const piped = await runFake(io(), ["open", id, "5173", "--path", "/a b"]);
  assert.deepEqual([piped.out(), piped.browsed], [`${asked("ports/5173/open?path=%2Fa+b")}\n`, []]);
  const shown = await runFake(io({ terminal: true }), ["open", id, "jupyter"]);
  assert.deepEqual([shown.out(), shown.browsed], [`${asked("jupyter/open")}\n`, [asked("jupyter/open")]]);
  const printed = await runFake(io({ terminal: true }), ["open", id, "desktop", "--print"]);
  assert.deepEqual(printed.browsed, []);
  const without = await runFake(io({ terminal: true, browser: false }), ["open", id, "5173"]);
  assert.match(without.err(), /No browser could be started/);
});

/** Lets the server make sign-in links, and keeps the pages that they were asked for. */
function serveLinks(server: FakeServer): string[] {
  const paths: string[] = [];
  server.intercept = ({ method, path, body }, answer) => {
    if (method !== "POST" || path !== "/sign-in/links") return false;
    paths.push(JSON.parse(String(body)).path);
    answer.setHeader("content-type", "application/json");
    answer.end(JSON.stringify({ url: LINK }));
    return true;
  };
  return paths;
}

const LINK = "http://sealwork.localhost:8000/sign-in?code=c";

test("open without a job shows the dashboard signed in, with one its page there", async (t) => {
  const { server, io } = await world(t);
  const paths = serveLinks(server);
  const { job_id } = server.job({ prompt: "a page" });
  const shown = await runFake(io({ terminal: true }), ["open"]);
  assert.deepEqual([shown.code(), shown.out(), shown.browsed], [0, `${LINK}\n`, [LINK]]);
  const job = await runFake(io({ terminal: true }), ["open", "last"]);
  assert.deepEqual(job.browsed, [LINK]);
  const page = await runFake(io({ terminal: true }), ["open", "--path", "/settings/tokens", "--print"]);
  assert.deepEqual([page.out(), page.browsed], [`${LINK}\n`, []]);
  assert.deepEqual(paths, ["/", `/job/${job_id}`, "/settings/tokens"]);
  const json = await runFake(io({ terminal: true }), ["open", "--json"]);
  assert.deepEqual([JSON.parse(json.out()), json.browsed], [{ url: LINK }, []]);
  const without = await runFake(io({ terminal: true, browser: false }), ["open"]);
  assert.match(without.err(), /good once, for 30 s/);
});

test("open starts the server of this machine when none runs, as run does; with a job it does not", async (t) => {
  const { server, io } = await world(t);
  serveLinks(server);
  const local = createFakeLocalServer({ url: server.url, token: null });
  const here = { env: { SEALWORK_URL: "" } };
  assert.equal((await runFake(io(here), ["open"], local)).out(), `${LINK}\n`);
  assert.deepEqual(local.calls, ["ensure"]);
  const none = createFakeLocalServer(null);
  assert.equal((await runFake(io(here), ["open", "last"], none)).code(), 5);
  assert.deepEqual(none.calls, ["find"]);
});

test("open refuses what cannot be opened before it asks the server", async (t) => {
  const { server, io } = await world(t);
  for (const wrong of ["vnc", "0", "70000", "-1"])
    assert.equal((await runFake(io(), ["open", "last", wrong])).code(), 2, wrong);
  for (const path of ["//evil.example", "settings", "https://evil.example/"])
    assert.equal((await runFake(io(), ["open", "--path", path])).code(), 2, path);
  assert.equal((await runFake(io(), ["open", "last", "--path", "/x"])).code(), 2);
  assert.equal(server.received.length, 0);
});

test("a browser is started where there is a screen", () => {
  const url = "http://x.localhost/";
  assert.deepEqual(browserCommand({ platform: "darwin", env: {} }, url), ["open", url]);
  assert.deepEqual(browserCommand({ platform: "linux", env: { DISPLAY: ":0" } }, url), ["xdg-open", url]);
  assert.equal(browserCommand({ platform: "linux", env: {} }, url), null);
});
