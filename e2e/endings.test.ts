import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Event } from "../src/contract/event.ts";
import type { JobRequestInput } from "../src/contract/job.ts";
import { run, script, TestOrchestrator } from "./harness.ts";
import {
  assertManifest,
  assertNothingLeft,
  assertPackingSoon,
  assertReason,
  assertWhole,
  container,
  packingAt,
  text,
} from "./job-checks.ts";

const MIB = 1024 * 1024;
const KEEP = "echo kept > kept.txt; echo ready";

const orchestrator = await TestOrchestrator.start({ config: { concurrency: 8 } });
after(() => orchestrator[Symbol.asyncDispose]());

async function ready(request: JobRequestInput): Promise<string> {
  const job_id = await orchestrator.schedule(request);
  await orchestrator.untilPrinted(job_id, "ready");
  return job_id;
}

/** What every end has in common; gives the events. */
async function assertEnded(job_id: string, code: string): Promise<Event[]> {
  const job = await orchestrator.ended(job_id);
  assertReason(job, code);
  const events = await orchestrator.allEvents(job_id);
  assertWhole(events);
  const zip = await orchestrator.zip(job_id);
  assert.equal(text(zip, "kept.txt"), "kept\n", "the work so far is in the ZIP");
  assertManifest(zip);
  assert.equal(JSON.parse(text(zip, ".sealwork/result.json")).reason.code, code);
  await assertNothingLeft(orchestrator, job_id);
  return events;
}

/** When an event of a type came first, in ms since 1970. */
function at(events: Event[], matches: (event: Event) => boolean): number {
  const found = events.find(matches);
  assert(found !== undefined, "the event came");
  return Date.parse(found.at);
}

const replaced = (events: Event[]): boolean => events.some(({ type }) => type === "sandbox.replaced");

test("endings", { concurrency: true }, async (t) => {
  const tests = [
    t.test("a container that is killed from outside ends its job as sandbox_died", async () => {
      const job_id = await ready({ prompt: script(KEEP, "sleep 1000") });
      const id = await container(orchestrator, job_id);
      const killed_at = Date.now();
      await run("docker", ["kill", id]);
      const events = await assertEnded(job_id, "sandbox_died");
      assertPackingSoon(events, killed_at);
      assert(replaced(events), "a fresh sandbox packed the volume");
      assert.equal(events.filter(({ type }) => type === "job.started").length, 1, "the script did not go on");
    }),

    t.test("a container that is removed from outside ends its job as sandbox_died", async () => {
      const job_id = await ready({ prompt: script(KEEP, "sleep 1000") });
      const id = await container(orchestrator, job_id);
      const removed_at = Date.now();
      await run("docker", ["rm", "-f", id]);
      assertPackingSoon(await assertEnded(job_id, "sandbox_died"), removed_at);
    }),

    t.test(
      "a tool that runs out of memory is a result; the script ends with it, the runner lives",
      async () => {
        const eat = "```python continue\nx = b'x' * (1 << 30)\n```";
        const end = "```python\nx = b'x' * (1 << 30)\n```";
        const job_id = await orchestrator.schedule({
          prompt: `${script(KEEP)}\n\n${eat}\n\n${script("echo still here")}\n\n${end}\n\n${script("echo never")}`,
          limits: { memory_bytes: 256 * MIB },
        });
        const events = await assertEnded(job_id, "out_of_memory");
        const causes = events.flatMap((event) => (event.type === "step.ended" ? event.data.cause : []));
        assert.deepEqual(causes, ["exited", "out_of_memory", "exited", "out_of_memory"]);
        assert(!replaced(events), "the runner itself packed");
        assert.equal(await orchestrator.logs(job_id), "ready\nstill here\n");
        const last = events.findLast(({ type }) => type === "step.ended");
        assertPackingSoon(events, Date.parse(last?.at ?? ""));
      },
    ),

    t.test("memory that files of a memory file system take ends a job as out_of_memory", async () => {
      // It is not given back when the tool that wrote them was killed.
      const fill = "```sh continue\ncat /dev/zero >> /dev/shm/fill; cat /dev/zero >> /tmp/fill\n```\n\n";
      const prompt = `${script(KEEP)}\n\n${fill.repeat(3)}${script("cat /dev/zero > /tmp/fill")}`;
      const job_id = await ready({ prompt, limits: { memory_bytes: 128 * MIB } });
      await assertEnded(job_id, "out_of_memory");
    }),

    t.test("a runner that the kernel ends for memory ends its job as out_of_memory", async () => {
      // A tool may make itself as good a victim as the runner is; then the largest process goes, and these are many small ones.
      const small = [
        "import os, time",
        "open('/proc/self/oom_score_adj', 'w').write('0')",
        "os.mkfifo('go')",
        "open('go').read()",
        "for i in range(40):",
        "    if os.fork() == 0:",
        "        x = b'x' * (4 << 20)",
        "        time.sleep(1000)",
        "time.sleep(1000)",
      ];
      const prompt = `${script(KEEP)}\n\n\`\`\`python\n${small.join("\n")}\n\`\`\``;
      const job_id = await ready({ prompt, limits: { memory_bytes: 128 * MIB } });
      // What the runner says last before it goes cannot be stored when nobody was quick enough to take it.
      await orchestrator.until(job_id, (event) => event.type === "step.started" && event.data.step === 2);
      const write = "until [ -p go ]; do :; done; : > go";
      const inside = ["exec", "-w", "/workspace", await container(orchestrator, job_id), "sh", "-c", write];
      // It may be a victim itself.
      await run("docker", inside).catch(() => undefined);
      const events = await assertEnded(job_id, "out_of_memory");
      assert(replaced(events), "a fresh sandbox packed the volume");
      assertPackingSoon(
        events,
        at(events, (event) => event.type === "step.started" && event.data.step === 2),
      );
    }),

    t.test("the clock limit ends a job as timed_out", async () => {
      const job_id = await ready({ prompt: script(KEEP, "sleep 1000"), limits: { timeout_s: 3 } });
      const events = await assertEnded(job_id, "timed_out");
      const limit_at = at(events, ({ type }) => type === "job.started") + 3000;
      assertPackingSoon(events, limit_at);
      assert(packingAt(events) >= limit_at - 1000, "not before its time");
      assert(!replaced(events));
    }),

    t.test("a job in which nothing happens ends as idle_timed_out", async () => {
      const job_id = await ready({ prompt: script(KEEP, "sleep 1000"), limits: { idle_timeout_s: 3 } });
      const events = await assertEnded(job_id, "idle_timed_out");
      const last = at(events, (event) => event.type === "step.started" && event.data.step === 2);
      assertPackingSoon(events, last + 3000);
      assert(packingAt(events) >= last + 2000, "not before its time");
    }),

    t.test("the disk limit ends a job as disk_full, and says how far over it was", async () => {
      const job_id = await ready({
        prompt: script(KEEP, "head -c 80M /dev/zero > large.bin; sleep 1000"),
        limits: { disk_bytes: 64 * MIB },
      });
      const events = await assertEnded(job_id, "disk_full");
      // Begins before the limit is passed, by as little as it takes to write so much.
      const writes_at = at(events, (event) => event.type === "step.started" && event.data.step === 2);
      assertPackingSoon(events, writes_at);
      const [limit, ...more] = events.flatMap((event) => (event.type === "limit.reached" ? event.data : []));
      assert(limit !== undefined && more.length === 0, "it is said once");
      assert.equal(limit.limit, "disk");
      assert.equal(limit.limit_value, 64 * MIB);
      assert((limit.value ?? 0) > 64 * MIB);
      assert(limit.message.includes(String((limit.value ?? 0) - 64 * MIB)), limit.message);
      const job = await orchestrator.job(job_id);
      assert.match(job.reason?.message ?? "", /over|more than|limit/);
    }),

    t.test("a step that fails ends the job as step_failed with its exit code", async () => {
      const job_id = await orchestrator.schedule({ prompt: script(KEEP, "exit 7", "echo never") });
      await assertEnded(job_id, "step_failed");
      assert.equal((await orchestrator.job(job_id)).result?.exit_code, 7);
      assert.equal(await orchestrator.logs(job_id), "ready\n");
    }),
  ];
  await Promise.all(tests);
});
