import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Event } from "../src/contract/event.ts";
import { AgentsPlace, assertComplete, finish, ofType, plan, shell } from "./agents.ts";
import { run } from "./harness.ts";
import { text } from "./job-checks.ts";

let place: AgentsPlace;
before(async () => {
  place = await AgentsPlace.start({ config: { concurrency: 4 } });
});
after(() => place[Symbol.asyncDispose]());

const asked = (n: number) => (event: Event) => event.type === "approval.asked" && event.data.n === n;

describe("people and the native agent", { concurrency: 3 }, () => {
  test("a message reaches the agent at its next turn", async () => {
    const { job_id, play } = await place.begin("message", {
      turns: [
        plan(),
        { answer: { ...shell("echo one > one.txt"), hold: "message" } },
        { when: { user: "And two.txt, please." }, answer: shell("echo two > two.txt") },
        ...finish("Both are there."),
      ],
    });
    await play.asked(2);
    await place.orchestrator.message(job_id, "And two.txt, please.");
    play.release("message");
    const { job, events, zip } = await place.done(job_id);
    assertComplete({ job });
    play.assertFinished();
    assert.equal(text(zip, "one.txt") + text(zip, "two.txt"), "one\ntwo\n");
    assert.deepEqual(
      ofType(events, "message.said").filter(({ from }) => from === "person"),
      [{ from: "person", text: "And two.txt, please." }],
    );
  });

  test("after its answer a job waits for a follow-up, works on it in the same sandbox, and ends when nobody says more", async () => {
    const { orchestrator } = place;
    const { job_id, play } = await place.begin(
      "lingers",
      {
        turns: [
          plan(),
          { answer: shell("export KEPT=still-here; echo first > a.txt") },
          ...finish("The first is done."),
          { when: { user: "Now the second." }, answer: shell("echo $KEPT > b.txt") },
          ...finish("The second is done."),
        ],
      },
      { linger_s: 6 },
    );
    await orchestrator.until(job_id, ({ type }) => type === "agent.waiting");
    const waiting = await orchestrator.job(job_id);
    assert.deepEqual([waiting.status, waiting.phase], ["running", "waiting"]);
    await orchestrator.message(job_id, "Now the second.");
    const { job, zip } = await place.done(job_id);
    assertComplete({ job });
    play.assertFinished();
    assert.equal(job.result?.summary, "The second is done.");
    assert.equal(text(zip, "b.txt"), "still-here\n");
    const late = await orchestrator.fetch(`/jobs/${job_id}/messages`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ text: "Too late." }),
    });
    assert.equal(late.status, 409);
  });

  test("always: each step is asked for; what is allowed runs, what is denied does not, and the model is told", async () => {
    const { orchestrator } = place;
    const { job_id, play } = await place.begin(
      "always",
      {
        turns: [
          plan(),
          { answer: shell("echo allowed > allowed.txt") },
          { when: { last: "result" }, answer: shell("echo denied > denied.txt") },
          ...finish("One of two.", { result: "said no" }),
        ],
      },
      { approval: { policy: "always" } },
    );
    await orchestrator.until(job_id, asked(1));
    const waiting = await orchestrator.job(job_id);
    assert.equal(waiting.phase, "waiting");
    assert.deepEqual(
      waiting.approvals.map(({ n, kind, detail }) => [n, kind, detail]),
      [[1, "step", "echo allowed > allowed.txt"]],
    );
    await orchestrator.answer(job_id, 1, "allow");
    await orchestrator.until(job_id, asked(2));
    await orchestrator.answer(job_id, 2, "deny");
    const { job, events, zip } = await place.done(job_id);
    assertComplete({ job });
    play.assertFinished();
    assert.equal(text(zip, "allowed.txt"), "allowed\n");
    assert.ok(!zip.has("denied.txt"));
    assert.deepEqual(ofType(events, "approval.given"), [
      { n: 1, decision: "allow", by: "person" },
      { n: 2, decision: "deny", by: "person" },
    ]);
  });

  test("silence means no when the time is up, and waiting for a person uses no idle time", async () => {
    const { job, events, zip } = await place.run(
      "silence",
      { turns: [plan(), { answer: shell("echo x > x.txt") }, { answer: { text: "Nobody said yes." } }] },
      { approval: { policy: "always", timeout_s: 9 }, limits: { idle_timeout_s: 7 } },
    );
    assertComplete({ job });
    assert.ok(!zip.has("x.txt"));
    assert.deepEqual(ofType(events, "approval.given"), [{ n: 1, decision: "deny", by: "timeout" }]);
    const question = events.find(asked(1));
    const given = events.find(({ type }) => type === "approval.given");
    const waited_ms = Date.parse(given?.at ?? "") - Date.parse(question?.at ?? "");
    assert.ok(waited_ms > 8_000, `it waited ${waited_ms} ms, longer than it may be idle`);
  });

  for (const decision of ["allow", "deny"] as const)
    test(`risky: a host off the list is asked for, and the answer to ${decision} holds`, async () => {
      const { orchestrator } = place;
      const registry = new URL((await run("npm", ["config", "get", "registry"])).stdout.trim());
      const { job_id, play } = await place.begin(
        `risky-${decision}`,
        {
          turns: [
            plan(),
            // The status alone: whatever the registry says, it was reached or it was not.
            { answer: shell(`curl -sS -o /tmp/answer -w 'status %{http_code}\\n' ${registry.href}`) },
            ...finish("That is how it went.", { last: "result" }),
          ],
        },
        { approval: { policy: "risky" }, egress: { policy: "allow", hosts: [] } },
      );
      const question = await orchestrator.until(job_id, asked(1));
      assert.equal(question.type === "approval.asked" && question.data.kind, "egress");
      assert.ok(JSON.stringify(question.data).includes(registry.hostname));
      await orchestrator.answer(job_id, 1, decision);
      const { job, events, printed } = await place.done(job_id);
      assertComplete({ job });
      play.assertFinished();
      const denied = ofType(events, "egress.denied");
      const opened = ofType(events, "egress.opened");
      if (decision === "allow") {
        assert.match(printed, /^status [234]\d\d$/m);
        assert.deepEqual([opened[0]?.by, denied], ["approval", []]);
        assert.deepEqual(job.egress.hosts.length, 1);
      } else {
        assert.match(printed, /^status (000|403)$/m);
        assert.deepEqual(opened, []);
        assert.deepEqual([denied[0]?.host, denied[0]?.rule], [registry.hostname, "approval"]);
      }
    });
});
