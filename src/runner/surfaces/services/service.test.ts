import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { RUNNER_EVENTS, type RunnerEventBody } from "../../../contract/event.ts";
import { compileReaper } from "../../process/compiled-reaper.fake.ts";
import { ToolProcesses } from "../../process/tool-processes.ts";
import { connectService } from "./connect-service.ts";
import type { ServicePart } from "./live-part.ts";
import { Service, type ServiceOptions } from "./service.ts";
import { SERVICE_FAILURES_MAX } from "./supervision.ts";

let reaper: Awaited<ReturnType<typeof compileReaper>>;
before(async () => {
  reaper = await compileReaper();
});
after(() => reaper[Symbol.asyncDispose]());

/** Listens on the socket $1 and writes its process id to $1.pid. */
const SERVER = `
const fs = require("node:fs"), path = process.argv[1];
fs.writeFileSync(path + ".pid", String(process.pid));
console.log("up", path.split("/").pop());
require("node:net").createServer((socket) => socket.end()).listen(path);
`;
const { signal: NEVER } = new AbortController();

/** A service of two servers, `first` and `second`, whose waits the test decides. */
async function service(
  given: Partial<ServiceOptions> & { change?: (part: ServicePart) => ServicePart } = {},
) {
  const { change = (part) => part, ...options } = given;
  const folder = await mkdtemp(join(reaper.folder, "service-"));
  const processes = new ToolProcesses({ reaper_path: reaper.path, folder, oomKills: async () => null });
  const events: RunnerEventBody[] = [];
  const heard = new EventTarget();
  const waits: { ms: number; pass(): void }[] = [];
  const part = (name: string): ServicePart => {
    const socket = join(folder, name);
    const argv: ServicePart["argv"] = [process.execPath, "-e", SERVER, socket];
    const cleanUp = () => rm(socket, { force: true });
    return change({
      name,
      argv,
      cwd: folder,
      env: { GIVEN: "x" },
      socket,
      spares_children: false,
      cleanUp,
    });
  };
  const made = new Service({
    name: "desktop",
    title: "The desktop",
    parts: [part("first"), part("second")],
    processes,
    async emit(body) {
      assert.ok(RUNNER_EVENTS[body.type].safeParse(body.data).success, JSON.stringify(body));
      events.push(body);
      heard.dispatchEvent(new Event("event"));
    },
    wait: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        waits.push({ ms, pass: resolve });
        heard.dispatchEvent(new Event("event"));
      }),
    ...options,
  });
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) await new Promise((resolve) => heard.addEventListener("event", resolve, { once: true }));
  };
  return {
    service: made,
    folder,
    events,
    /** What was said, in short. */
    said: () =>
      events.map(({ type, data }) => (type === "service.ended" ? `ended ${data.cause}` : type.slice(8))),
    until,
    /** The next wait that nobody has taken yet. */
    async wait() {
      await until(() => waits.length > 0);
      const next = waits.shift();
      assert.ok(next !== undefined);
      return next;
    },
    pid: async (name: string) => Number(await readFile(join(folder, `${name}.pid`), "utf8")),
    async [Symbol.asyncDispose]() {
      await made[Symbol.asyncDispose]();
      await processes[Symbol.asyncDispose]();
    },
  };
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("it starts with its first use, once for all who ask at the same time, and says how long that took", async () => {
  await using place = await service();
  assert.equal(place.service.is_up, false);
  await Promise.all([1, 2, 3].map(() => place.service.use(NEVER)));
  assert.equal(place.service.is_up, true);
  assert.deepEqual(place.said(), ["started"]);
  const [started] = place.events;
  assert.ok(started?.type === "service.started" && started.data.service === "desktop");
  assert.ok(started.data.duration_ms > 0);
});

test("it ends when nobody has used it for a while, and starts again with the next use", async () => {
  await using place = await service({ idle_ms: 5_000 });
  const one = await place.service.use(NEVER);
  const other = await place.service.use(NEVER);
  const pid = await place.pid("first");
  one[Symbol.dispose]();
  one[Symbol.dispose]();
  other[Symbol.dispose]();
  const idle = await place.wait();
  assert.equal(idle.ms, 5_000);
  idle.pass();
  await place.until(() => place.events.length === 2);
  assert.equal(lives(pid), false);
  await place.service.use(NEVER);
  assert.deepEqual(place.said(), ["started", "ended idle", "started"]);
});

test("who comes before it is idle keeps it, and so does what uses it without having asked", async () => {
  const busy = [true, false];
  await using place = await service({ busy: async () => busy.shift() ?? false });
  (await place.service.use(NEVER))[Symbol.dispose]();
  const first = await place.wait();
  const user = await place.service.use(NEVER);
  first.pass();
  user[Symbol.dispose]();
  (await place.wait()).pass();
  const again = await place.wait();
  assert.deepEqual(place.said(), ["started"]);
  again.pass();
  await place.until(() => place.events.length === 2);
  assert.deepEqual(place.said(), ["started", "ended idle"]);
});

test("a part that dies is started again with what needs it, after a growing delay, and what it printed is told", async () => {
  await using place = await service();
  await place.service.use(NEVER);
  const [first, second] = [await place.pid("first"), await place.pid("second")];
  process.kill(second, "SIGKILL");
  const delay = await place.wait();
  assert.equal(place.service.is_up, false);
  const [, ended] = place.events;
  assert.ok(ended?.type === "service.ended");
  assert.deepEqual(ended.data, {
    service: "desktop",
    cause: "failed",
    message: "second was ended by SIGKILL. The last that it printed: up second",
  });
  delay.pass();
  await place.service.use(NEVER);
  assert.equal(await place.pid("first"), first);
  assert.notEqual(await place.pid("second"), second);
  process.kill(first, "SIGKILL");
  const longer = await place.wait();
  assert.equal(longer.ms, delay.ms * 2);
  longer.pass();
  await place.service.use(NEVER);
  assert.notEqual(await place.pid("first"), first);
  assert.deepEqual(place.said(), ["started", "ended failed", "started", "ended failed", "started"]);
});

test("where a part ends because the one that it needs is ending, that one is told, and nobody is let in before it runs again", async () => {
  const deaf = `process.on("SIGUSR1", () => { server.close(); for (const one of open) one.destroy(); });
    const open = []; setInterval(() => 0, 1000); const server = `;
  const needs = `require("node:net").connect(process.argv[2]).on("close", () => process.exit(1));`;
  await using place = await service({
    change: (part) => ({
      ...part,
      spares_children: part.name === "second",
      argv: [
        process.execPath,
        "-e",
        part.name === "first"
          ? SERVER.replace('require("node:net")', `${deaf}require("node:net")`).replace(
              "socket.end()",
              "open.push(socket)",
            )
          : `${SERVER}${needs}`,
        part.socket ?? "",
        (part.socket ?? "").replace(/second$/, "first"),
      ],
    }),
  });
  await place.service.use(NEVER);
  const [first, second] = [await place.pid("first"), await place.pid("second")];
  process.kill(first, "SIGUSR1");
  while (lives(second)) await nextTurn();
  process.kill(first, "SIGKILL");
  (await place.wait()).pass();
  await place.service.use(NEVER);
  assert.notEqual(await place.pid("first"), first);
  assert.deepEqual(place.said(), ["started", "ended failed", "started"]);
  const [, ended] = place.events;
  assert.match(
    ended?.type === "service.ended" ? (ended.data.message ?? "") : "",
    /^first was ended by SIGKILL/,
  );
});

test("a connection to a service that has just died comes once it runs again", async () => {
  await using place = await service({ wait: async () => undefined });
  const path = join(place.folder, "first");
  const one = await connectService(place.service, path, NEVER);
  const first = await place.pid("first");
  process.kill(first, "SIGKILL");
  // Before the service can have heard of it.
  while (lives(first));
  const other = await connectService(place.service, path, NEVER);
  assert.equal(other.destroyed, false);
  assert.notEqual(await place.pid("first"), first);
  one.destroy();
  other.destroy();
});

test("who gives up while a connection is tried again is told by the reason of his signal", async () => {
  await using place = await service();
  const stop = new AbortController();
  const connecting = connectService(place.service, join(place.folder, "none"), stop.signal);
  await place.until(() => place.events.length === 1);
  stop.abort(new Error("gone"));
  await assert.rejects(connecting, /^Error: gone$/);
});

test("one that fails while nobody uses it is not started again before somebody does", async () => {
  await using place = await service();
  (await place.service.use(NEVER))[Symbol.dispose]();
  process.kill(await place.pid("first"), "SIGKILL");
  await place.until(() => place.events.length === 2);
  await place.service.use(NEVER);
  assert.deepEqual(place.said(), ["started", "ended failed", "started"]);
});

test("one that cannot start is given up after some tries, with what it printed, and tried anew by the next use", async () => {
  await using place = await service({
    wait: async () => undefined,
    change: (part) => ({
      ...part,
      argv: [
        "bash",
        "-c",
        'test -e mended && exec node -e "$0" $1; echo no screen >&2; exit 3',
        SERVER,
        part.socket ?? "",
      ],
      env: { PATH: `${join(process.execPath, "..")}:/usr/bin:/bin` },
    }),
  });
  await assert.rejects(place.service.use(NEVER), {
    code: "conflict",
    message:
      "The desktop could not be started. first ended with exit code 3. The last that it printed: no screen",
  });
  assert.deepEqual(place.said(), Array(SERVICE_FAILURES_MAX).fill("ended failed"));
  await writeFile(join(place.folder, "mended"), "");
  await place.service.use(NEVER);
  assert.equal(place.said().at(-1), "started");
});

test("a program that is missing is named", async () => {
  await using place = await service({
    wait: async () => undefined,
    change: (part) => ({ ...part, argv: ["no-such-program"] }),
  });
  await assert.rejects(place.service.use(NEVER), /no-such-program|exec: ENOENT/);
});

test("who gives up waiting is free at once, and the service starts nevertheless", async () => {
  await using place = await service();
  const impatient = new AbortController();
  const waiting = place.service.use(impatient.signal);
  impatient.abort(new Error("gone"));
  await assert.rejects(waiting, /gone/);
  await place.until(() => place.events.length === 1);
  assert.deepEqual(place.said(), ["started"]);
});

test("the end of the job kills it, and nobody can use it any more", async () => {
  await using place = await service({
    change: (part) => ({
      ...part,
      argv: [process.execPath, "-e", `process.on("SIGTERM", () => 0);${SERVER}`, part.socket ?? ""],
    }),
  });
  await place.service.use(NEVER);
  const pids = [await place.pid("first"), await place.pid("second")];
  await place.service[Symbol.asyncDispose]();
  assert.deepEqual(pids.map(lives), [false, false]);
  assert.deepEqual(place.said(), ["started", "ended job_end"]);
  await assert.rejects(place.service.use(NEVER), { code: "conflict" });
});

test("what a part started lives on when it ends alone, where that is wanted, and ends with the service", async () => {
  await using place = await service({
    wait: async () => undefined,
    change: (part) =>
      part.name === "first"
        ? part
        : {
            ...part,
            spares_children: true,
            argv: [
              "bash",
              "-c",
              'setsid sleep 1000 & echo $! >> children; exec "$0" -e "$1" "$2"',
              process.execPath,
              SERVER,
              part.socket ?? "",
            ],
            env: { PATH: "/usr/bin:/bin" },
          },
  });
  await place.service.use(NEVER);
  process.kill(await place.pid("second"), "SIGKILL");
  await place.until(() => place.events.length === 3);
  const children = (await readFile(join(place.folder, "children"), "utf8")).trim().split("\n").map(Number);
  assert.deepEqual(children.map(lives), [true, true]);
  await place.service[Symbol.asyncDispose]();
  assert.deepEqual(children.map(lives), [false, false]);
});

test("a service that nobody used leaves nothing and says nothing", async () => {
  const place = await service();
  await place[Symbol.asyncDispose]();
  assert.deepEqual(place.events, []);
  assert.equal(existsSync(join(place.folder, "first.pid")), false);
});
