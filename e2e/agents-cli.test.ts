import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { AgentsPlace } from "./agents.ts";
import { CliProcess, cli, REPOSITORY, readZip } from "./harness.ts";
import { text } from "./job-checks.ts";
import { Scenario } from "./models/scenario.ts";

let place: AgentsPlace;
before(async () => {
  place = await AgentsPlace.start();
  const file = join(REPOSITORY, "e2e/models/scenarios/sum-of-squares.json");
  place.models.play(Scenario.parse(JSON.parse(await readFile(file, "utf8"))));
});
after(() => place[Symbol.asyncDispose]());

const TASK = "Add up the squares of the numbers from 1 to 100 and leave the sum in result.txt.";

describe("from the terminal, with nothing configured but a key and an address", { concurrency: 2 }, () => {
  for (const { agent, approve } of [
    { agent: "native", approve: "always" },
    { agent: "gemini-cli", approve: "risky" },
  ])
    test(`a sentence is run by ${agent}, watched, answered, followed up and downloaded`, async (t) => {
      const folder = await mkdtemp(join(tmpdir(), "sealwork-agents-"));
      t.after(() => rm(folder, { recursive: true, force: true }));
      const { orchestrator } = place;
      const env = orchestrator.environment;
      const sealwork = async (...args: string[]) => {
        const done = await cli(args, { env, cwd: folder });
        assert.equal(done.code, 0, done.stdout + done.stderr);
        return done.stdout;
      };
      const options = ["--agent", agent, "--approve", approve, "--linger", "2m"];
      const job_id = (await sealwork("run", "--detach", ...options, TASK)).trim();
      const watching = new CliProcess(["logs", "-f", job_id], { env });
      let followed_up = false;
      let questions = 0;
      for await (const { type, data } of orchestrator.events(job_id)) {
        if (type === "approval.asked") {
          questions += 1;
          await sealwork("approve", job_id, String(data.n));
        } else if (type === "agent.waiting") {
          // Nothing but the waiting is left to be cancelled after the second answer.
          if (followed_up) await sealwork("cancel", job_id);
          else await sealwork("send", job_id, "And what is the sum of the cubes?");
          followed_up = true;
        }
      }
      assert.ok(questions >= 1, "it was asked for what it did");
      const { code, stdout, stderr } = await watching.ended;
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^338350$/m, "what its commands printed");
      assert.match(await sealwork("status", job_id), /complete.*25502500/s);
      await sealwork("download", job_id);
      const [name = ""] = await readdir(folder);
      const zip = await readZip(await readFile(join(folder, name)));
      assert.equal(text(zip, "result.txt"), "338350\n");
    });
});
