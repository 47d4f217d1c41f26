import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import WebSocket, { createWebSocketStream } from "ws";
import { AgentsPlace, assertComplete, call, finish, ofType, plan, shell } from "./agents.ts";
import { RfbViewer } from "./rfb-viewer.ts";

const fence = (language: string, code: string) => `\`\`\`${language}\n${code}\n\`\`\``;
const PNG = "89504e470d0a1a0a";
/** Serves the workspace until the job ends. */
const SERVE =
  "setsid python3 -m http.server 5173 > /dev/null 2>&1 &\nuntil curl -so /dev/null localhost:5173; do sleep 0.1; done";
/** A button as large as the page says what clicked it. */
const BUTTON = `<title>untouched</title><button style="position:fixed;inset:0;font-size:99px">Press</button><script>
const told = (event) => { document.title = event.type + " " + event.button };
onclick = ondblclick = oncontextmenu = told;
</script>`;

let place: AgentsPlace;
before(async () => {
  place = await AgentsPlace.start();
  // The image may have to be built first, which takes longer than anything here waits for.
  const { orchestrator } = place;
  const job_id = await orchestrator.schedule({
    prompt: fence("sh", "true"),
    template: "desktop",
    agent: "script",
  });
  await orchestrator.ended(job_id, 15 * 60_000);
});
after(() => place[Symbol.asyncDispose]());

test("a script works with windows: it types into a terminal, opens a page in the browser, and keeps screenshots", async () => {
  const prompt = [
    fence("html file=index.html", "<title>Served inside</title><h1>Hello</h1>"),
    // The first program that looks for the display starts it.
    fence(
      "sh",
      `${SERVE}\nsetsid lxterminal -e sh -c 'cat > typed.txt' > /dev/null 2>&1 &\nuntil wmctrl -l | grep -q .; do sleep 0.1; done`,
    ),
    fence(
      "desktop",
      "screenshot shots/before.png\nclick 300 300\ntype Hello, World! é 漢字 😀\nkey enter ctrl+d\nwait 200\nscreenshot shots/after.png",
    ),
    fence("sh", "cat typed.txt"),
    fence("desktop", "open http://localhost:5173/\nwindows"),
    fence("desktop", "windows\nclick 5000 1\nscreenshot never.png"),
  ].join("\n\n");
  const { orchestrator } = place;
  const job_id = await orchestrator.schedule({ prompt, template: "desktop", agent: "script" });
  const { job, events, zip, printed } = await place.done(job_id);
  assert.equal(job.reason?.code, "step_failed");
  assert.match(
    job.reason?.message ?? "",
    /Line \d+ of the prompt: The point 5000, 1 is not on the screen, which has 1280×800/,
  );
  assert.match(printed, /^Hello, World! é 漢字 😀$/m);
  assert.match(printed, /^0x\w+ \d+×\d+ at -?\d+,-?\d+: Served inside - Chromium$/m);
  const [shown, changed] = ["shots/before.png", "shots/after.png"].map((name) => zip.get(name)?.content);
  assert.equal(shown?.toString("hex", 0, 8), PNG);
  assert.equal(changed?.toString("hex", 0, 8), PNG);
  assert.notDeepEqual(shown, changed);
  assert.equal(zip.has("never.png"), false);
  const captured = ofType(events, "screen.captured");
  assert.deepEqual(
    captured.map(({ step }) => step),
    [3, 5, 6],
  );
  const [, , last] = captured;
  const blob = await orchestrator.fetch(`/jobs/${job_id}/blobs/${last?.blob}`);
  const content = Buffer.from(await blob.arrayBuffer());
  assert.equal(content.toString("hex", 0, 8), PNG, content.toString("utf8", 0, 300));
  const services = events.filter(({ type }) => type.startsWith("service.")).map(({ type }) => type);
  assert.deepEqual(services, ["service.started", "service.ended"]);
});

test("a model looks at the desktop, opens a page and clicks; it is shown the screen after each action, and told what cannot be done", async () => {
  const desktop = (args: Parameters<typeof call>[1]) => call("desktop", args);
  const middle = { x: 640, y: 420 };
  const script = {
    turns: [
      plan(),
      { answer: call("write_file", { path: "index.html", content: BUTTON }) },
      { answer: shell(SERVE) },
      { answer: desktop({ action: "open_url", url: "http://localhost:5173/" }) },
      { when: { result: "Screenshot, 1280×800." }, answer: desktop({ action: "list_windows" }) },
      { when: { result: "untouched - Chromium" }, answer: desktop({ action: "click", ...middle }) },
      { answer: desktop({ action: "list_windows" }) },
      { when: { result: "click 0 - Chromium" }, answer: desktop({ action: "double_click", ...middle }) },
      { answer: desktop({ action: "list_windows" }) },
      {
        when: { result: "dblclick 0 - Chromium" },
        answer: desktop({ action: "click", button: "right", ...middle }),
      },
      { answer: desktop({ action: "list_windows" }) },
      { when: { result: "contextmenu 2 - Chromium" }, answer: desktop({ action: "click", x: 1300, y: 1 }) },
      { when: { result: "is not on the screen, which has 1280×800" }, answer: desktop({ action: "key" }) },
      { when: { result: "The action key needs keys" }, answer: desktop({ action: "key", keys: "hyper+x" }) },
      ...finish("It was pressed.", { result: 'There is no key "hyper"' }),
    ],
  };
  const { job, events, play } = await place.run("presses", script, { template: "desktop" });
  assertComplete({ job });
  const steps = ofType(events, "step.started").filter(({ tool }) => tool === "desktop");
  assert.deepEqual(
    steps.slice(0, 3).map(({ title }) => title),
    ["open http://localhost:5173/", "windows", `click ${middle.x} ${middle.y}`],
  );
  assert.equal(ofType(events, "screen.captured").length, steps.length);
  const pictures = place.models.recorded.filter(({ body }) => body.includes('"image/png"'));
  assert.ok(pictures.length > 5, `${pictures.length} requests held pictures`);
  assert.ok(play.requests.some(({ tools }) => tools.includes("desktop")));
});

test("a model of an image without a desktop is offered none, and a desktop that nobody uses is not started", async () => {
  const script = { turns: [plan(), { answer: shell("ls /opt/sealwork") }, ...finish("Done.")] };
  const { play } = await place.run("no-desktop", script);
  assert.ok(play.requests.every(({ tools }) => !tools.includes("desktop")));
  const unused = {
    turns: [plan(), { answer: shell("ps -eo comm") }, ...finish("Done.")],
  };
  const { events, printed } = await place.run("unused-desktop", unused, { template: "desktop" });
  assert.doesNotMatch(printed, /Xvnc|jwm/);
  assert.deepEqual(
    events.filter(({ type }) => type.startsWith("service.")),
    [],
  );
});

test("before the model changes something on the desktop a person is asked, where everything is to be asked; looking is free", async () => {
  const script = {
    turns: [
      plan(),
      { answer: call("desktop", { action: "screenshot" }) },
      { answer: call("desktop", { action: "type", text: "rm -rf ~" }) },
      ...finish("I was not allowed to.", { result: "said no" }),
    ],
  };
  const { job_id } = await place.begin("asks", script, {
    template: "desktop",
    approval: { policy: "always" },
  });
  const asked = await place.orchestrator.until(job_id, ({ type }) => type === "approval.asked");
  assert.ok(asked.type === "approval.asked");
  assert.equal(asked.data.title, "desktop: type rm -rf ~");
  await place.orchestrator.answer(job_id, asked.data.n, "deny");
  const { events } = await place.done(job_id);
  assert.equal(ofType(events, "approval.asked").length, 1);
});

test("while somebody watches, what changes on the screen is captured", async () => {
  const { orchestrator } = place;
  const prompt = fence("sh", "echo begun; sleep 2; lxterminal & sleep 1000");
  const job_id = await orchestrator.schedule({ prompt, template: "desktop", agent: "script" });
  await orchestrator.untilPrinted(job_id, "begun");
  const url = `${orchestrator.url.replace("http", "ws")}/jobs/${job_id}/desktop?viewer=anna-0001&name=Anna`;
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${orchestrator.token}` } });
  using _viewer = await RfbViewer.connect(createWebSocketStream(socket));
  const blobs = new Set<string>();
  await orchestrator.until(job_id, (event) => {
    if (event.type === "screen.captured") {
      assert.equal(event.data.step, null);
      blobs.add(event.data.blob);
    }
    // The empty desktop, and the terminal on it.
    return blobs.size >= 2;
  });
  await orchestrator.cancel(job_id);
});
