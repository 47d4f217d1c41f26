import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import WebSocket from "ws";
import { openBrowser } from "./browser.ts";
import { script, TestOrchestrator } from "./harness.ts";

let orchestrator: TestOrchestrator;
let browser: Awaited<ReturnType<typeof openBrowser>>;
before(async () => {
  orchestrator = await TestOrchestrator.start();
  browser = await openBrowser();
});
after(async () => {
  await browser[Symbol.asyncDispose]();
  await orchestrator[Symbol.asyncDispose]();
});

async function open(job_id: string, what: string): Promise<string> {
  const answer = await orchestrator.fetch(`/jobs/${job_id}/${what}/open`, { method: "POST" });
  const body = (await answer.json()) as { url: string };
  assert.equal(answer.status, 200, JSON.stringify(body));
  return body.url;
}

test("a Vite dev server that a job started is shown, hot reload included, without any configuration", async () => {
  const job_id = await orchestrator.schedule({
    prompt: script(
      "npm install --no-audit --no-fund --no-progress vite@8",
      `echo '<!doctype html><title>app</title><p id="said"></p><script type="module" src="/main.js"></script>' > index.html
echo 'export const said = "first";' > said.js
cat > main.js <<'END'
import { said } from "./said.js";
const show = (text) => { document.getElementById("said").textContent = text; };
show(said);
import.meta.hot.accept("./said.js", (fresh) => show(fresh.said));
END
npx vite`,
    ),
  });
  const opened = await orchestrator.until(job_id, ({ type }) => type === "port.opened");
  assert.equal(opened.type === "port.opened" && opened.data.port, 5173);
  const page = await browser.context.newPage();
  await page.goto(await open(job_id, "ports/5173"));
  await page.getByText("first").waitFor();
  await page.evaluate("globalThis.kept = 1");
  const written = await orchestrator.fetch(`/jobs/${job_id}/files/said.js`, {
    method: "PUT",
    body: 'export const said = "second";\n',
  });
  assert.ok(written.ok, await written.text());
  await page.getByText("second").waitFor();
  assert.equal(await page.evaluate("globalThis.kept"), 1, "the page was not loaded anew");

  // An orchestrator that starts anew knows the preview; only the port of the test's server is another one.
  const before_ = new URL(page.url());
  await orchestrator.stop();
  await orchestrator.restart();
  await page.goto(`http://${before_.hostname}:${new URL(orchestrator.url).port}/`);
  await page.getByText("second").waitFor();
  await page.close();
  await orchestrator.cancel(job_id);
});

test("servers of a job serve pages, events and WebSockets to browsers, and to programs by path", async () => {
  const server = `
const server = require("http").createServer((request, response) => {
  if (request.url === "/events") {
    response.writeHead(200, { "content-type": "text/event-stream" });
    let n = 0;
    setInterval(() => response.write("data: " + n++ + "\\n\\n"), 50);
  } else if (request.url === "/large") {
    response.writeHead(200, { "content-length": 100 * 1024 * 1024 });
    const chunk = Buffer.alloc(1024 * 1024, 7);
    let left = 100;
    const more = () => { while (left-- > 0) if (!response.write(chunk)) return response.once("drain", more); response.end(); };
    more();
  } else response.writeHead(200, { "content-type": "text/html" }).end("<title>here</title>" + request.headers.host);
});
server.on("upgrade", (request, socket) => {
  const key = require("crypto").createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  socket.write("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: " + key + "\\r\\n\\r\\n");
  socket.write(Buffer.from([0x81, 5, ...Buffer.from("hello")]));
});
server.listen(3000, "127.0.0.1", () => console.log("listens"));`;
  const job_id = await orchestrator.schedule({ prompt: `\`\`\`js\n${server}\n\`\`\`` });
  await orchestrator.untilPrinted(job_id, "listens");
  const page = await browser.context.newPage();
  await page.goto(await open(job_id, "ports/3000"));
  assert.equal(await page.title(), "here");
  assert.match(await page.content(), new RegExp(new URL(page.url()).host));
  const got = await page.evaluate<unknown[]>(`Promise.all([
    new Promise((resolve) => {
      const seen = [];
      new EventSource("/events").onmessage = ({ data }) => { seen.push(data); if (seen.length === 3) resolve(seen.join()); };
    }),
    new Promise((resolve) => { new WebSocket("ws://" + location.host + "/ws").onmessage = ({ data }) => resolve(data); }),
    fetch("/large").then(async (answer) => (await answer.arrayBuffer()).byteLength),
  ])`);
  assert.deepEqual(got, ["0,1,2", "hello", 100 * 1024 * 1024]);
  await page.close();

  const path = `/jobs/${job_id}/ports/3000`;
  const answer = await orchestrator.fetch(`${path}/`);
  assert.match(await answer.text(), /here.*localhost:3000/);
  const large = await orchestrator.fetch(`${path}/large`);
  assert.equal((await large.arrayBuffer()).byteLength, 100 * 1024 * 1024);
  const socket = new WebSocket(`${orchestrator.url.replace("http", "ws")}${path}/ws`, {
    headers: { authorization: `Bearer ${orchestrator.token}` },
  });
  assert.equal(String((await once(socket, "message"))[0]), "hello");
  socket.terminate();
  await orchestrator.cancel(job_id);
});

test("a page that is opened too early asks again by itself until its server listens", async () => {
  const job_id = await orchestrator.schedule({
    prompt: script("until [ -e go ]; do sleep 0.1; done; python3 -m http.server 8000 --bind 127.0.0.1"),
  });
  await orchestrator.until(job_id, ({ type }) => type === "step.started");
  const page = await browser.context.newPage();
  const answer = await page.goto(await open(job_id, "ports/8000"));
  assert.equal(answer?.status(), 502);
  assert.match(await page.content(), /Nothing listens on port 8000.*Nothing listens in the sandbox/s);
  await orchestrator.fetch(`/jobs/${job_id}/files/go`, { method: "PUT", body: "" });
  await page.getByText("Directory listing").first().waitFor();
  await page.close();
  await orchestrator.cancel(job_id);
});
