import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, before, test } from "node:test";
import { CliProcess, cli, REPOSITORY, TestOrchestrator } from "./harness.ts";
import { idleJob, LiveClient } from "./terminals.ts";

let orchestrator: TestOrchestrator;
let job_id: string;
before(async () => {
  orchestrator = await TestOrchestrator.start();
  job_id = await idleJob(orchestrator);
});
after(() => orchestrator[Symbol.asyncDispose]());

const exec = (...command: string[]) => LiveClient.exec(orchestrator, job_id, { command });
const environment = () => ({
  ...orchestrator.environment,
  SEALWORK_URL: orchestrator.url,
  SEALWORK_TOKEN: orchestrator.token,
});

test("a command has an exit code, two streams of output, an input with an end, an environment and a folder", async () => {
  const script = 'cat; echo "$GREETING from $PWD" >&2; exit 3';
  const command = await LiveClient.exec(orchestrator, job_id, {
    command: ["sh", "-c", script],
    cwd: "/home/agent",
    env: { GREETING: "gr\u00fc\u00dfe" },
  });
  command.stdin("one\n");
  command.stdin("two\n");
  command.send({ type: "end_of_input" });
  assert.deepEqual(await command.told("exited"), { type: "exited", exit_code: 3, signal: null });
  assert.deepEqual(await command.ended(), { code: 1000, reason: "" });
  assert.equal(command.all().toString(), "one\ntwo\n");
  assert.equal(command.all("stderr").toString(), "gr\u00fc\u00dfe from /home/agent\n");
});

test("a program can open its standard input again, and an input that it does not read to the end stops nothing", async () => {
  const command = await exec("sh", "-c", "head -c 6 /dev/stdin; wc -c < /dev/stdin");
  command.stdin("first ");
  await command.saw("first ");
  command.stdin(Buffer.alloc(300_000));
  command.send({ type: "end_of_input" });
  await command.told("exited");
  assert.equal(command.all().toString(), "first 300000\n");
  const careless = await exec("sh", "-c", "sleep 0.2; echo done");
  careless.stdin(Buffer.alloc(10_000_000));
  assert.equal((await careless.told("exited")).exit_code, 0);
});

test("a signal reaches the command, and its end says so", async () => {
  const command = await exec("sh", "-c", "echo begun; exec sleep 1000");
  await command.saw("begun");
  command.send({ type: "signal", signal: "SIGINT" });
  assert.deepEqual(await command.told("exited"), { type: "exited", exit_code: null, signal: "SIGINT" });
});

test("what cannot be run is refused with its reason, and so is a client that does not keep to the rules", async () => {
  const reasons = async (request: Parameters<typeof LiveClient.exec>[2]) => {
    const command = await LiveClient.exec(orchestrator, job_id, request);
    const { code, message } = await command.told("refused");
    return `${code}: ${message}`;
  };
  assert.match(await reasons({ command: ["no-such-program"] }), /^not_found: .*no-such-program is not in/);
  assert.match(await reasons({ command: ["ls"], cwd: "/etc" }), /^invalid_path: .*outside the home folder/);
  assert.match(await reasons({ command: ["ls"], cwd: "../.." }), /^invalid_path: .*outside the home folder/);
  assert.match(await reasons({ command: ["ls"], cwd: "nowhere" }), /^invalid_path: There is no folder/);
  assert.match(await reasons({ command: ["ls"], env: { "A=B": "c" } }), /^invalid_request: .*A=B/);
  assert.match(await reasons({ command: ["ls", "a\0b"] }), /^invalid_request: .*zero byte/);
  assert.equal((await (await exec()).ended()).code, 4003);
  const rude = await exec("cat");
  rude.socket.send(Buffer.from([2, 65]));
  assert.equal((await rude.ended()).code, 4003);
});

test("a command ends with its connection, and so does all that came of it", async () => {
  const command = await exec(
    "sh",
    "-c",
    "(trap '' TERM HUP; sleep 4242) & setsid sleep 4243 & echo $$ begun; wait",
  );
  await command.saw("begun");
  command.drop();
  const look = await exec(
    "sh",
    "-c",
    "while pgrep -f '^sleep 424[23]' > /dev/null; do sleep 0.05; done; echo gone",
  );
  await look.saw("gone");
});

test("a client that reads slowly holds the command back, and nothing is lost", async () => {
  const bytes = 64 * 1024 * 1024;
  const command = await exec("sh", "-c", `head -c ${bytes} /dev/zero; touch written`);
  await command.told("opened");
  command.socket.pause();
  const look = await exec(
    "sh",
    "-c",
    "for i in $(seq 20); do sleep 0.1; [ ! -e written ] || break; done; ls",
  );
  await look.told("exited");
  assert.doesNotMatch(look.all().toString(), /written/);
  command.socket.resume();
  await command.told("exited");
  assert.equal(command.all().length, bytes);
});

test("sealwork exec: exit code and streams of the command, 100 MB through a pipe both ways, and a reader that goes away", async () => {
  const run = (...args: string[]) => cli(["exec", "last", ...args], { env: environment(), input: "typed" });
  const apart = await run(
    "--env",
    "X=y",
    "--cwd",
    "/home/agent",
    "--",
    "sh",
    "-c",
    'cat; pwd; echo "$X" >&2; exit 3',
  );
  assert.deepEqual(apart, { code: 3, stdout: "typed/home/agent\n", stderr: "y\n" });
  assert.equal((await run("--", "no-such-program")).code, 127);
  assert.equal((await run("--", "sh", "-c", "kill -9 $$")).code, 137);
  const bytes = 100_000_000;
  const program = join(REPOSITORY, "src/bin/sealwork.ts");
  const args = [program, "exec", "last", "--", "sh", "-c", "cat; echo end >&2"];
  const child = spawn(process.execPath, args, { env: environment(), stdio: ["pipe", "pipe", "ignore"] });
  const hash = createHash("sha256");
  const wanted = createHash("sha256");
  async function* zeroes(): AsyncGenerator<Buffer> {
    for (let sent = 0; sent < bytes; sent += 100_000) {
      const piece = Buffer.alloc(100_000, sent % 251);
      wanted.update(piece);
      yield piece;
    }
  }
  const ended = once(child, "close");
  await Promise.all([pipeline(Readable.from(zeroes()), child.stdin), pipeline(child.stdout, hash)]);
  assert.deepEqual(await ended, [0, null]);
  assert.equal(hash.digest("hex"), wanted.digest("hex"));
  const endless = spawn(process.execPath, [program, "exec", "last", "--", "yes"], {
    env: environment(),
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(endless.stdout, "data");
  endless.stdout.destroy();
  assert.deepEqual(await once(endless, "close"), [141, null]);
});

test("sealwork exec: Ctrl-C goes to the command, and a second one kills it", async () => {
  const script = "trap 'echo caught' INT; echo begun; while :; do sleep 0.1; done";
  const command = new CliProcess(["exec", "last", "--", "sh", "-c", script], { env: environment() });
  await command.untilPrinted("begun");
  command.kill("SIGINT");
  await command.untilPrinted("caught");
  command.kill("SIGINT");
  assert.equal((await command.ended).code, 137);
});
