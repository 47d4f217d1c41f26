import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { hasCode, openEnds, SANDBOX } from "../../gateway/link-fixture.ts";
import { echo, outbound } from "../../gateway/link-out-fixture.ts";
import { OutLink } from "./out.ts";

test("while no orchestrator is there an agent waits for its model, and other programs are soon told", async () => {
  await using ends = await openEnds({}, { out: { models: echo }, outbound: outbound() });
  await ends.listener.close(SANDBOX);
  const connect_max_ms = { models: 60_000, egress: 100 };
  await using out = new OutLink({ folder: join(ends.folder, SANDBOX), connect_max_ms });
  const waiting = out.connect("models");
  await assert.rejects(out.connect("egress"), hasCode("link_lost"));
  await ends.listener.open(SANDBOX, outbound());
  const stream = await waiting;
  stream.end("hello");
  assert.equal((await stream.toArray()).join(""), "hello");
});
