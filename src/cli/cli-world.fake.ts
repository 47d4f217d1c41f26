import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import type { TestContext } from "node:test";
import yazl from "yazl";
import type { EventBody } from "../contract/event.ts";
import { FakeServer } from "./fake-server.fake.ts";
import { createFakeIo, type FakeIo } from "./io.fake.ts";

/** A server, an empty folder, and processes that start in it and talk to that server; all gone when the test ends. */
export type World = {
  server: FakeServer;
  cwd: string;
  io(more?: Partial<Parameters<typeof createFakeIo>[0]>): FakeIo;
};

export async function world(t: TestContext): Promise<World> {
  const server = await FakeServer.start();
  const cwd = await mkdtemp(path.join(tmpdir(), "sealwork-test-"));
  t.after(async () => {
    await server[Symbol.asyncDispose]();
    await rm(cwd, { recursive: true, force: true });
  });
  const io: World["io"] = (more = {}) =>
    createFakeIo({ cwd, ...more, env: { PATH: PATH_HERE, SEALWORK_URL: server.url, ...more.env } });
  return { server, cwd, io };
}

const PATH_HERE = path.dirname(execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim());

export function zipOf(files: Record<string, string>): Promise<Buffer> {
  const zip = new yazl.ZipFile();
  for (const [name, text] of Object.entries(files)) zip.addBuffer(Buffer.from(text), name);
  zip.end();
  return buffer(zip.outputStream);
}

export const STEP: EventBody = {
  type: "step.started",
  data: { step: 1, tool: "shell", title: "echo hi", code: "echo hi", code_blob: null },
};
export const ENDED: EventBody = {
  type: "step.ended",
  data: { step: 1, cause: "exited", exit_code: 0, signal: null, message: null, duration_ms: 1200, ok: true },
};

export function output(text: string, stream: "stdout" | "stderr" = "stdout"): EventBody {
  return { type: "step.output", data: { step: 1, stream, encoding: "utf8", data: text } };
}

/** Lets the next job that is scheduled, or followed, do this. */
export function onFollow(server: FakeServer, work: (id: string) => void): void {
  server.intercept = ({ method, path: asked }) => {
    if (method === "GET" && asked.includes("/events")) {
      server.intercept = null;
      const id = asked.split("/")[2];
      if (id !== undefined) queueMicrotask(() => work(id));
    }
    return false;
  };
}
