import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import Docker from "dockerode";
import { readAptSettings } from "../src/drivers/apt-settings.ts";
import { ensureDebianImage } from "../src/drivers/docker-base-image.ts";
import { run, script, TestOrchestrator } from "./harness.ts";
import { assertManifest, assertReason, text } from "./job-checks.ts";

/** An older Debian with neither Node nor Python; it stays for the next run, as it takes half a minute to make. */
const OLD_DEBIAN = { name: "sealwork-test/bookworm:minbase", suite: "bookworm" };
const OWN = "sealwork-test/own";

let folder: string;
let orchestrator: TestOrchestrator;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "sealwork-own-"));
  const { signal } = new AbortController();
  await ensureDebianImage({
    docker: new Docker(),
    image: OLD_DEBIAN,
    cache_folder: join(folder, "cache"),
    apt: await readAptSettings(signal),
    progress: () => {},
    signal,
  });
  await writeFile(
    join(folder, "Dockerfile"),
    `FROM ${OLD_DEBIAN.name}\nCOPY --from=sealwork/base /opt/sealwork /opt/sealwork\nRUN /opt/sealwork/setup\n`,
  );
  await mkdir(join(folder, "slow"));
  await writeFile(join(folder, "slow/Dockerfile"), "FROM sealwork/base\nUSER root\nRUN sleep 3\n");
  orchestrator = await TestOrchestrator.start({
    config: {
      templates: {
        // Made by the person, as README says, and made by us on first use.
        ready: { image: `${OWN}-ready:mine`, description: "An older Debian" },
        built: { image: `${OWN}-built`, build: folder },
        slow: { image: `${OWN}-slow`, build: join(folder, "slow") },
        missing: { image: `${OWN}-nobody-made:this` },
      },
    },
  });
  await run("docker", ["build", "-q", "-t", `${OWN}-ready:mine`, folder]);
});
after(async () => {
  await orchestrator[Symbol.asyncDispose]();
  const images = await run("docker", ["images", "-q", "--filter", `reference=${OWN}-*`]);
  const ids = new Set(images.stdout.split("\n").filter(Boolean));
  if (ids.size > 0) await run("docker", ["rmi", "-f", ...ids]);
  await rm(folder, { recursive: true, force: true });
});

const WORK = script(
  ". /etc/os-release; echo $VERSION_CODENAME; id -un; pwd; ls -d /workspace/; command -v node python3 || echo neither",
  "mkdir -p out; echo made > out/made.txt; chmod 755 out/made.txt; ln -s made.txt out/link; kill -9 1",
  "setsid -f sleep 600; cat out/link",
);

for (const template of ["ready", "built"])
  test(`a shell job runs to its ZIP in an older image with neither Node nor Python (${template})`, async () => {
    const job_id = await orchestrator.schedule({ prompt: WORK, template });
    const job = await orchestrator.ended(job_id);
    assert.equal(job.status, "complete", JSON.stringify(job.reason));
    assert.equal(
      await orchestrator.logs(job_id),
      "bookworm\nagent\n/home/agent/workspace\n/workspace/\nneither\nmade\n",
    );
    const zip = await orchestrator.zip(job_id);
    assertManifest(zip);
    assert.equal(text(zip, "out/made.txt"), "made\n");
    assert.equal((zip.get("out/made.txt")?.mode ?? 0) & 0o777, 0o755);
    assert.equal(
      (await orchestrator.allEvents(job_id)).some(({ type }) => type === "image.progress"),
      template === "built",
    );
  });

for (const [fence, program] of [
  ["python", "python3"],
  ["js", "node"],
] as const)
  test(`a ${fence} step says that ${program} is not in this image, and what to do`, async () => {
    const prompt = `${script("echo kept > kept.txt")}\n\n\`\`\`${fence}\n1\n\`\`\``;
    const job_id = await orchestrator.schedule({ prompt, template: "ready" });
    const job = await orchestrator.ended(job_id);
    assertReason(job, "step_failed");
    const message = job.reason?.message ?? "";
    assert.ok(message.includes(`The program ${program} is not in this image`), message);
    assert.match(message, /choose a template that has it, or add it to the image/);
    assert.equal(text(await orchestrator.zip(job_id), "kept.txt"), "kept\n");
  });

test("no clock of the job runs while its image is built in phase starting", async () => {
  const limits = { timeout_s: 1, idle_timeout_s: 1 };
  const job_id = await orchestrator.schedule({ prompt: script("true"), template: "slow", limits });
  const job = await orchestrator.ended(job_id);
  assert.equal(job.status, "complete", JSON.stringify(job.reason));
  assert.ok((job.timings.starting_ms ?? 0) > 3000, "the build took longer than the limits");
  const types = (await orchestrator.allEvents(job_id)).map(({ type }) => type);
  assert.ok(types.includes("image.progress"));
  assert.ok(types.lastIndexOf("image.progress") < types.indexOf("job.started"));
});

test("an image that nobody made ends the job with what to type", async () => {
  const job_id = await orchestrator.schedule({ prompt: script("true"), template: "missing" });
  const job = await orchestrator.ended(job_id);
  assertReason(job, "image_missing");
  assert.match(job.reason?.hint ?? "", /docker build -t sealwork-test\/own-nobody-made:this/);
});
