import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OpenAnswer } from "../src/contract/api.ts";
import type { Event } from "../src/contract/event.ts";
import { AgentsPlace, assertComplete, call, finish, ofType, plan } from "./agents.ts";
import { openBrowser } from "./browser.ts";
import { PATIENCE_MS, script } from "./harness.ts";
import { text } from "./job-checks.ts";
import { JupyterClient, runCell } from "./jupyter-client.ts";

/** The image is built by the first job that wants it, which takes longer than tests wait for anything else. */
const IMAGE_PATIENCE_MS = 15 * 60_000;
const NOTEBOOK = ".sealwork/session.ipynb";
/** In the kernel: fails unless the notebook is one, of whichever minor version it says. */
const VALID = `import nbformat; nbformat.validate(nbformat.read("${NOTEBOOK}", nbformat.NO_CONVERT))`;

let place: AgentsPlace;
before(async () => {
  place = await AgentsPlace.start();
  const { orchestrator } = place;
  const prompt = script("true");
  const job_id = await orchestrator.schedule({ agent: "script", prompt, template: "desktop" });
  await orchestrator.ended(job_id, IMAGE_PATIENCE_MS);
});
after(() => place[Symbol.asyncDispose]());

async function stepEnded(job_id: string, number: number): Promise<void> {
  let ended = 0;
  await place.orchestrator.until(job_id, ({ type }) => type === "step.ended" && ++ended === number);
}

test("a person in Jupyter Lab and the agent share a kernel and its notebook", async (t) => {
  const { orchestrator } = place;
  const { job_id, play } = await place.begin(
    "shares",
    {
      turns: [
        plan(),
        { answer: call("python", { code: "x = 41\nprint('agent set x')" }) },
        { answer: { ...call("python", { code: "print('agent reads', y)\n1 / 0" }), hold: "shared" } },
        {
          answer: {
            ...call("python", { code: "print('agent after', 'x' in globals(), z)" }),
            hold: "restarted",
          },
        },
        { answer: { text: "It is done.", hold: "looked at" } },
        ...finish("Shared.").slice(1),
      ],
    },
    { template: "desktop" },
  );
  await orchestrator.untilPrinted(job_id, "agent set x");
  const events = async () => orchestrator.allEvents(job_id);
  assert.deepEqual(ofType(await events(), "service.started"), [], "nothing runs that nobody has asked for");
  await using stack = new AsyncDisposableStack();
  const jupyter = stack.use(new JupyterClient(orchestrator, job_id));
  let kernel = await jupyter.openNotebook(NOTEBOOK);
  assert.equal(kernel.name, "sealwork-session");

  await t.test("values go both ways, and what a person saved stays in the notebook", async () => {
    assert.equal(await runCell(kernel, "x + 1"), "42");
    assert.equal(await runCell(kernel, "y = 'what a person set'"), "");
    const opened = await jupyter.contents.get(NOTEBOOK);
    const own = { cell_type: "markdown", id: "mine", metadata: {}, source: "# A person's" };
    await jupyter.contents.save(NOTEBOOK, {
      type: "notebook",
      format: "json",
      content: { ...opened.content, cells: [own, ...opened.content.cells] },
    });
    play.release("shared");
    await stepEnded(job_id, 2);
    assert.match(await orchestrator.logs(job_id), /agent reads what a person set/);
    const { content } = await jupyter.contents.get(NOTEBOOK);
    const kinds = content.cells.map((cell: { cell_type: string }) => cell.cell_type);
    assert.deepEqual(kinds, ["markdown", "code", "code"]);
    assert.equal(await runCell(kernel, VALID), "");
  });

  await t.test("a cell can be interrupted", async () => {
    const begun = Promise.withResolvers<void>();
    const endless = runCell(kernel, "print('begun')\nwhile True: pass", () => begun.resolve());
    await begun.promise;
    await kernel.interrupt();
    assert.match(await endless, /KeyboardInterrupt/);
  });

  await t.test("to shut the agent's kernel down only lets go of it", async () => {
    await kernel.shutdown();
    kernel = await jupyter.openNotebook(NOTEBOOK);
    assert.equal(await runCell(kernel, "x"), "41");
  });

  await t.test("a restart has a fresh kernel for both, which the agent is told", async () => {
    await kernel.restart();
    assert.equal(await runCell(kernel, "'x' in globals()"), "False");
    await runCell(kernel, "z = 7");
    play.release("restarted");
    await orchestrator.untilPrinted(job_id, "agent after False 7");
  });

  await t.test(
    "terminals and kernels of people's own work; no port of them shows among the job's",
    async () => {
      await jupyter.inTerminal("echo $((6 * 7)) in $PWD", /42 in \/home\/agent\/workspace/);
      const own = await jupyter.kernels.startNew({ name: "python3" });
      assert.equal(
        await runCell(own, "import os; 'x' in globals(), os.getcwd()"),
        "(False, '/home/agent/workspace')",
      );
      const ports = await orchestrator.fetch(`/jobs/${job_id}/ports`);
      assert.deepEqual(await ports.json(), { ports: [] });
      await own.shutdown();
    },
  );

  await t.test(
    "a Jupyter Lab that is killed is started again, and the agent's kernel with its values is still there",
    async () => {
      // The answer of this cell goes with the server.
      await runCell(kernel, "import os; os.system('pkill -9 -f /opt/sealwork/jupyter/[l]ab')").catch(
        () => null,
      );
      let starts = 0;
      await orchestrator.until(job_id, (event: Event) => event.type === "service.started" && ++starts === 2);
      kernel = await jupyter.openNotebook(NOTEBOOK);
      assert.equal(await runCell(kernel, "z"), "7");
      const ended = ofType(await events(), "service.ended");
      assert.deepEqual(
        ended.map(({ service, cause }) => [service, cause]),
        [["jupyter", "failed"]],
      );
    },
  );

  await stack.disposeAsync();
  play.release("looked at");
  const done = await place.done(job_id);
  assertComplete(done);
  const told = JSON.stringify(play.requests.at(-1));
  assert.match(told, /The kernel had ended since the last call/);
  assert.equal(JSON.parse(text(done.zip, NOTEBOOK)).cells.length, 4);
  assert.ok(
    ![...done.zip.keys()].some((name) => name.includes("ipynb_checkpoints")),
    [...done.zip.keys()].join(),
  );
});

test("an image without Jupyter Lab says which template has it", async () => {
  const { orchestrator } = place;
  const job_id = await orchestrator.schedule({ agent: "script", prompt: script("echo begun; sleep 600") });
  await orchestrator.untilPrinted(job_id, "begun");
  for (const [method, path] of [
    ["GET", "api/status"],
    ["POST", "open"],
  ] as const) {
    const answer = await orchestrator.fetch(`/jobs/${job_id}/jupyter/${path}`, { method });
    assert.equal(answer.status, 409, path);
    assert.match(await answer.text(), /no Jupyter Lab; the template `desktop` has one/);
  }
  await orchestrator.cancel(job_id);
});

test("an agent that has no kernel is said to have none, and people have kernels of their own", async () => {
  const { orchestrator } = place;
  const prompt = script("echo begun; sleep 600");
  const job_id = await orchestrator.schedule({ agent: "script", prompt, template: "desktop" });
  await orchestrator.untilPrinted(job_id, "begun");
  {
    await using jupyter = new JupyterClient(orchestrator, job_id);
    await assert.rejects(
      jupyter.startSession("a.ipynb", "sealwork-session"),
      /The agent has no Python kernel at the moment/,
    );
    const kernel = await jupyter.startSession("a.ipynb", "python3");
    assert.equal(await runCell(kernel, "6 * 7"), "42");
  }
  await orchestrator.cancel(job_id);
  await orchestrator.ended(job_id);
});

test("a person opens the agent's notebook in Jupyter Lab, runs a cell and uses a terminal", async () => {
  const { orchestrator } = place;
  const { job_id, play } = await place.begin(
    "looks",
    {
      turns: [
        plan(),
        { answer: call("python", { code: "best = 'Saturday'\nprint('agent set best')" }) },
        { answer: { ...call("python", { code: "print('agent reads', asked)" }), hold: "asked" } },
        { answer: { ...call("python", { code: "print('agent goes on')" }), hold: "saved" } },
        { answer: { text: "It is done.", hold: "looked at" } },
        ...finish("Looked at.").slice(1),
      ],
    },
    { template: "desktop" },
  );
  await stepEnded(job_id, 1);
  const opened = await orchestrator.fetch(`/jobs/${job_id}/jupyter/open?path=/lab/tree/${NOTEBOOK}`, {
    method: "POST",
  });
  const { url } = OpenAnswer.parse(await opened.json());
  await using browser = await openBrowser();
  const page = await browser.context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const failed: string[] = [];
  page.on("requestfailed", (request) => failed.push(request.url()));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin && !request.url().startsWith("data:"))
      failed.push(request.url());
  });
  await page.goto(url);
  await page.getByText("Agent session | Idle").waitFor();
  await page.getByText("agent set best", { exact: true }).waitFor();
  assert.equal(
    await page.evaluate(
      "document.querySelector('#jupyter-config-data').textContent.includes('\"token\": \"\"')",
    ),
    true,
  );

  await page.locator(".jp-Notebook .jp-Cell").last().click();
  await page.keyboard.press("Escape");
  await page.keyboard.press("b");
  await page.keyboard.press("Enter");
  await page.keyboard.type("asked = best.upper(); asked");
  await page.keyboard.press("Shift+Enter");
  await page.getByText("'SATURDAY'", { exact: true }).waitFor();

  // What the agent adds shows by itself, beside what is not saved yet, and both are saved without a question.
  play.release("asked");
  await page.getByText("agent reads SATURDAY", { exact: true }).waitFor();
  const saved = page.waitForResponse((answer) => answer.request().method() === "PUT");
  await page.keyboard.press("Control+s");
  assert.equal((await saved).status(), 200);
  assert.equal(await page.locator(".jp-Dialog").count(), 0);
  play.release("saved");
  await page.getByText("agent goes on", { exact: true }).waitFor();

  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+Shift+C");
  await page.keyboard.type("New Terminal");
  await page.locator(".lm-CommandPalette-item.lm-mod-active", { hasText: "New Terminal" }).waitFor();
  await page.keyboard.press("Enter");
  // The prompt of the shell names the folder in the terminal's title.
  await page.getByText("agent@sandbox: ~/workspace").first().waitFor();
  await page.locator(".jp-Terminal .xterm").click();
  await page.keyboard.type("cd .sealwork\n");
  await page.getByText("agent@sandbox: ~/workspace/.sealwork").first().waitFor();
  assert.deepEqual(failed, [], "nothing is asked for elsewhere");
  play.release("looked at");
  const done = await place.done(job_id);
  assertComplete(done);
  const cells: { source: string | string[] }[] = JSON.parse(text(done.zip, NOTEBOOK)).cells;
  const sources = cells.map(({ source }) => [source].flat().join(""));
  assert.deepEqual(
    sources.filter((source) => /asked|goes on/.test(source)),
    ["asked = best.upper(); asked", "print('agent reads', asked)", "print('agent goes on')"],
  );
});
