import assert from "node:assert/strict";
import { test } from "node:test";
import { browserCommand } from "../browse.ts";
import { world } from "../cli-world.fake.ts";
import type { FakeServer } from "../fake-server.fake.ts";
import { runFake } from "../io.fake.ts";

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

test("open takes the only port there is, and asks which one otherwise", async (t) => {
  const { server, io } = await world(t);
  const only = await runFake(io(), ["open", serve(server, LISTENING.slice(0, 1))]);
  assert.match(only.out(), /ports%2F5173%2Fopen\n$/);
  const several = await runFake(io(), ["open", serve(server, LISTENING)]);
  assert.equal(several.code(), 2);
  assert.match(several.err(), /Several ports listen: 5173, 8000/);
  const none = await runFake(io(), ["open", serve(server, [])]);
  assert.match(none.err(), /Nothing listens/);
  for (const wrong of ["vnc", "0", "70000", "-1"])
    assert.equal((await runFake(io(), ["open", "last", wrong])).code(), 2, wrong);
});

test("a browser is started where there is a screen", () => {
  const url = "http://x.localhost/";
  assert.deepEqual(browserCommand({ platform: "darwin", env: {} }, url), ["open", url]);
  assert.deepEqual(browserCommand({ platform: "linux", env: { DISPLAY: ":0" } }, url), ["xdg-open", url]);
  assert.equal(browserCommand({ platform: "linux", env: {} }, url), null);
});
