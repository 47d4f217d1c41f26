import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findEngine } from "./docker-engine.ts";

const signal = () => AbortSignal.timeout(20_000);

/** A folder with sockets on which an engine's first two questions are answered. */
async function openFolder() {
  const path = await mkdtemp(join(tmpdir(), "sealwork-engine-"));
  const servers: AsyncDisposable[] = [];
  return {
    path,
    async engine(name: string, version: string): Promise<string> {
      const socket = join(path, name);
      await mkdir(join(socket, ".."), { recursive: true });
      const server = createServer((request, response) => {
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify(request.url === "/version" ? { Version: version } : { ID: name }));
      });
      server.listen(socket);
      await once(server, "listening");
      servers.push(server);
      return socket;
    },
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server[Symbol.asyncDispose]();
      await rm(path, { recursive: true, force: true });
    },
  };
}

test("DOCKER_HOST comes before everything else", async () => {
  await using folder = await openFolder();
  const socket = await folder.engine("chosen.sock", "9.1");
  const engine = await findEngine(
    { environment: { DOCKER_HOST: `unix://${socket}` }, home: folder.path },
    signal(),
  );
  assert.equal(engine.found_at, "DOCKER_HOST");
  assert.equal(engine.version, "9.1");
  assert.equal(engine.id, "chosen.sock");
});

test("a DOCKER_HOST that does not answer is an error, and no other engine is taken instead", async () => {
  await using folder = await openFolder();
  await assert.rejects(
    findEngine({ environment: { DOCKER_HOST: `unix://${folder.path}/none` }, home: folder.path }, signal()),
    { code: "engine_unreachable", message: /no such socket/ },
  );
});

test("a DOCKER_HOST over TCP that does not answer is not spoken of as a socket that is there", async () => {
  await assert.rejects(
    findEngine({ environment: { DOCKER_HOST: "tcp://127.0.0.1:1" }, home: "/nonexistent" }, signal()),
    { code: "engine_unreachable", message: /ECONNREFUSED.*an engine of this machine, by its unix socket/ },
  );
});

test("an engine on another machine, reached by ssh, is refused", async () => {
  await assert.rejects(
    findEngine({ environment: { DOCKER_HOST: "ssh://elsewhere" }, home: "/nonexistent" }, signal()),
    { code: "engine_not_local" },
  );
});

test("the current Docker context comes before the usual sockets", async () => {
  await using folder = await openFolder();
  const socket = await folder.engine("context.sock", "9.2");
  const hash = createHash("sha256").update("mine").digest("hex");
  const meta = join(folder.path, ".docker/contexts/meta", hash);
  await mkdir(meta, { recursive: true });
  await writeFile(join(folder.path, ".docker/config.json"), JSON.stringify({ currentContext: "mine" }));
  await writeFile(
    join(meta, "meta.json"),
    JSON.stringify({ Name: "mine", Endpoints: { docker: { Host: `unix://${socket}` } } }),
  );
  const engine = await findEngine({ environment: {}, home: folder.path }, signal());
  assert.equal(engine.found_at, "the Docker context mine");
  assert.equal(engine.version, "9.2");
});
