import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { cli, script, TestOrchestrator } from "./harness.ts";

let orchestrator: TestOrchestrator;
let here: string;
before(async () => {
  orchestrator = await TestOrchestrator.start();
  here = await mkdtemp(join(tmpdir(), "sw-cp-"));
});
after(async () => {
  await rm(here, { recursive: true });
  await orchestrator[Symbol.asyncDispose]();
});

async function cp(from: string, to: string, input?: string): Promise<string> {
  const env = orchestrator.environment;
  const done = await cli(["cp", from, to], { env, cwd: here, ...(input === undefined ? {} : { input }) });
  assert.equal(done.code, 0, done.stderr);
  assert.doesNotMatch(done.stderr, /^ +[\d.]+ \w*B$/m, "how far it is says nothing to who reads it later");
  return done.stdout;
}

test("files and folders go in and come out, into a folder that is there or as the copy itself, while a job works and when it has ended", async () => {
  const job_id = await orchestrator.schedule({
    prompt: script(
      "mkdir -p out/deep; echo made > out/deep/made.txt; echo '#!/bin/sh' > out/run.sh; chmod 755 out/run.sh; ln -s run.sh out/link; ln -s /etc/passwd out/evil; echo ready; sleep 1000",
    ),
  });
  await orchestrator.untilPrinted(job_id, "ready");
  await mkdir(join(here, "data/sub"), { recursive: true });
  await writeFile(join(here, "data/sub/ü 例.txt"), "in\n");
  await writeFile(join(here, "tool.sh"), "#!/bin/sh\necho works\n", { mode: 0o755 });
  await symlink("sub", join(here, "data/link"));

  assert.match(await cp("data", "last:"), /2 files, .* copied to last:/);
  await cp("data", "last:renamed");
  await cp("data/.", "last:out");
  await cp("tool.sh", "last:out/");
  await cp("tool.sh", "last:bin/other.sh");
  await cp("tool.sh", "last:~/tool.sh");
  await cp("-", "last:from-stdin.txt", "piped");
  const env = orchestrator.environment;
  const shown = await cli(
    [
      "exec",
      "last",
      "--",
      "sh",
      "-c",
      "find . -not -path './.sealwork*' | sort; ./out/tool.sh; ~/tool.sh; cat from-stdin.txt",
    ],
    { env },
  );
  assert.equal(
    shown.stdout,
    [
      ".",
      "./bin",
      "./bin/other.sh",
      "./data",
      "./data/link",
      "./data/sub",
      "./data/sub/ü 例.txt",
      "./from-stdin.txt",
      "./out",
      "./out/deep",
      "./out/deep/made.txt",
      "./out/evil",
      "./out/link",
      "./out/run.sh",
      "./out/sub",
      "./out/sub/ü 例.txt",
      "./out/tool.sh",
      "./renamed",
      "./renamed/link",
      "./renamed/sub",
      "./renamed/sub/ü 例.txt",
      "works",
      "works",
      "piped",
    ].join("\n"),
    shown.stderr,
  );

  const out = await cp("last:out", ".");
  assert.match(out, /! left out evil: a link that leaves the folder \(\/etc\/passwd\)/);
  await cp("last:out", "new/copy");
  for (const folder of ["out", "new/copy"]) {
    assert.deepEqual((await readdir(join(here, folder))).sort(), [
      "deep",
      "link",
      "run.sh",
      "sub",
      "tool.sh",
    ]);
    assert.equal(await readFile(join(here, folder, "deep/made.txt"), "utf8"), "made\n");
    assert.equal((await stat(join(here, folder, "run.sh"))).mode & 0o111, 0o111);
  }
  await cp("last:out/deep/made.txt", "alone.txt");
  assert.equal(await readFile(join(here, "alone.txt"), "utf8"), "made\n");
  assert.equal(await cp("last:/workspace/out/deep/made.txt", "-"), "made\n");

  await mkdir(join(here, "linked"));
  await symlink(join(here, "out"), join(here, "linked/out"));
  for (const [from, to, code, said] of [
    ["last:out", "linked", 1, /there is a symlink already/],
    ["last:nothing", ".", 1, /There is no file or folder 'nothing'/],
    ["last:out/run.sh/", ".", 1, /There is no folder 'out\/run.sh'/],
    ["data", "last:out/run.sh", 2, /is no folder/],
    ["nothing", "last:x", 2, /neither a file nor a folder/],
    ["a", "b", 2, /Neither is in a job/],
    ["last:a", "last:b", 2, /Both are in a job/],
    ["last:/etc/passwd", ".", 2, /neither in the workspace/],
    ["tool.sh", "last:.sealwork/x", 1, /reserved/],
  ] as const) {
    const failed = await cli(["cp", from, to], { env, cwd: here });
    assert.deepEqual([from, to, failed.code], [from, to, code], failed.stderr);
    assert.match(failed.stderr, said);
  }

  await orchestrator.cancel(job_id);
  await orchestrator.ended(job_id);
  await cp("last:out", "kept");
  assert.equal(await readFile(join(here, "kept/deep/made.txt"), "utf8"), "made\n");
  assert.equal((await stat(join(here, "kept/tool.sh"))).mode & 0o111, 0o111);
  const late = await cli(["cp", "tool.sh", "last:late.sh"], { env, cwd: here });
  assert.match(late.stderr, /has ended/);
});
