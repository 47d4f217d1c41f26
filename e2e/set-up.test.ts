import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { REPOSITORY, run, script } from "./harness.ts";

/** Runs a job where the client sees another folder than the engine does: in a mount namespace of its own, prepared by `mount`. */
async function runElsewhere(t: TestContext, mount: string) {
  const folder = await mkdtemp(join(tmpdir(), "sealwork-elsewhere-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const name of ["state", "lower", "work"]) await mkdir(join(folder, name));
  const program = join(REPOSITORY, "src/bin/sealwork.ts");
  const shell = `${mount} && exec "$@"`;
  const command = [process.execPath, program, "run", "--json", script("true")];
  return run("unshare", ["--mount", "sh", "-euc", shell, "sh", ...command], {
    cwd: folder,
    env: {
      PATH: process.env.PATH ?? "",
      HOME: folder,
      F: folder,
      SEALWORK_DATA: join(folder, "state/data"),
    },
  }).then(
    () => assert.fail("the run succeeded"),
    (error: { code: number; stdout: string }) => error,
  );
}

const as_root = process.getuid?.() === 0 ? {} : { skip: "only root may mount" };

test(
  "an engine that does not see the state folder is refused with what to use instead",
  as_root,
  async (t) => {
    const { code, stdout } = await runElsewhere(t, 'mount -t tmpfs tmpfs "$F/state"');
    assert.equal(code, 5, stdout);
    assert.match(stdout, /engine_not_local/);
    assert.match(stdout, /does not share sockets.*does not see the folder.*Docker Desktop/s);
  },
);

test(
  "an engine that sees the files of the state folder but not its sockets is refused as well",
  as_root,
  async (t) => {
    // A socket made through an overlay is another one than the file below it, as behind a virtual machine's shared folders.
    const { code, stdout } = await runElsewhere(
      t,
      'mount -t overlay overlay -o "lowerdir=$F/lower,upperdir=$F/state,workdir=$F/work" "$F/state"',
    );
    assert.equal(code, 5, stdout);
    assert.match(stdout, /engine_not_local/);
    assert.match(stdout, /the socket does not answer there/);
  },
);
