import { spawn } from "node:child_process";
import { type EventEmitter, once } from "node:events";
import type { Duplex } from "node:stream";
import WebSocket from "ws";
import type { TestOrchestrator } from "../e2e/harness.ts";
import type { Machine } from "./bench-sandbox.ts";
import { type Summary, settle, summarize } from "./statistics.ts";

/** An echo that takes longer does not come: the measurement fails instead of waiting without end. */
const ECHO_MAX_MS = 30_000;
const FILE_BYTES = 1_000_000_000;
/** A terminal that gives back each byte as it comes, as a program does that reads keys one by one. */
const ECHO = "stty raw -echo; echo ready; exec cat";

export type TerminalEcho = {
  /** From a key sent by a client to its echo there: WebSocket, server, link, runner, terminal and back. */
  idle: Summary;
  /** The same while a file of 1 GB is downloaded from the same sandbox. */
  downloading: Summary;
  /** `docker exec -it` into the same sandbox, over the engine's API; idle, and while the same file is downloaded. */
  docker_exec: Summary;
  docker_exec_downloading: Summary;
};

type Echo = { key(): Promise<void>; close(): void };

/** Measures one key at a time, by turns in both ways. The file is sparse, so no disk is measured. */
export async function measureTerminalEcho(
  machine: Machine,
  orchestrator: TestOrchestrator,
  keys: number,
): Promise<TerminalEcho> {
  const prompt = `\`\`\`sh\ntruncate -s ${FILE_BYTES} large\n\`\`\`\n\`\`\`js\nconsole.log("it works"); setInterval(() => {}, 1000)\n\`\`\``;
  const job_id = await orchestrator.schedule({ prompt });
  await orchestrator.untilPrinted(job_id, "it works");
  const own = await overWebSocket(orchestrator, job_id);
  const docker = await overDocker(machine, (await orchestrator.containers(job_id))[0] ?? "");
  try {
    await settle();
    const [idle, docker_exec] = await byTurns(own, docker, keys);
    await using _loading = await keepDownloading(orchestrator, job_id);
    const [downloading, docker_exec_downloading] = await byTurns(own, docker, keys);
    return { idle, docker_exec, downloading, docker_exec_downloading };
  } finally {
    own.close();
    docker.close();
    await orchestrator.cancel(job_id);
    await orchestrator.ended(job_id);
  }
}

async function byTurns(one: Echo, other: Echo, keys: number): Promise<[Summary, Summary]> {
  const times: [number[], number[]] = [[], []];
  for (let n = 0; n < keys; n += 1) {
    for (const [which, echo] of [one, other].entries()) {
      const begun = performance.now();
      await echo.key();
      times[which === 0 ? 0 : 1].push(performance.now() - begun);
    }
  }
  return [summarize(times[0]), summarize(times[1])];
}

async function overWebSocket(orchestrator: TestOrchestrator, job_id: string): Promise<Echo> {
  const url = `${orchestrator.url.replace("http", "ws")}/jobs/${job_id}/terminal`;
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${orchestrator.token}` } });
  await once(socket, "open");
  const ready = untilReady(socket, "message");
  socket.send(Buffer.from(`${ECHO}\r`));
  await ready;
  return {
    async key() {
      const echoed = once(socket, "message", { signal: AbortSignal.timeout(ECHO_MAX_MS) });
      socket.send(Buffer.from("x"));
      await echoed;
    },
    close: () => socket.terminate(),
  };
}

async function overDocker({ docker }: Machine, container: string): Promise<Echo> {
  const exec = await docker.getContainer(container).exec({
    Cmd: ["sh", "-c", ECHO],
    Tty: true,
    AttachStdin: true,
    AttachStdout: true,
  });
  const stream: Duplex = await exec.start({ hijack: true, stdin: true, Tty: true });
  await untilReady(stream, "data");
  return {
    async key() {
      const echoed = once(stream, "data", { signal: AbortSignal.timeout(ECHO_MAX_MS) });
      stream.write("x");
      await echoed;
    },
    close: () => void stream.destroy(),
  };
}

/** Waits until the echo has begun; it listens all the while, since several pieces may come at once. */
function untilReady(source: EventEmitter, event: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let seen = "";
  source.on(event, function listen(piece: Buffer) {
    seen += piece;
    if (!/ready\r?\n$/.test(seen)) return;
    source.off(event, listen);
    resolve();
  });
  return promise;
}

/** Downloads the file again and again, as fast as it comes, in a process of its own: its client must not weigh on that of the keys. */
async function keepDownloading(orchestrator: TestOrchestrator, job_id: string): Promise<AsyncDisposable> {
  const code = `
    const headers = { authorization: process.argv[2] };
    for (let n = 0; ; ) for await (const _ of (await fetch(process.argv[1], { headers })).body) if (n++ === 0) console.log("it comes");`;
  const url = `${orchestrator.url}/jobs/${job_id}/files/large`;
  const args = ["--input-type=module", "-e", code, url, `Bearer ${orchestrator.token}`];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  await once(child.stdout, "data");
  return {
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) throw new Error("The download failed.");
      child.kill();
      await ended;
    },
  };
}
