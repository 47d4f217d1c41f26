import assert from "node:assert/strict";
import { chmod, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../contract/errors.ts";
import { SOCKETS } from "../contract/link.ts";
import type { Log } from "../core/dependencies.ts";
import type { LinkListener } from "../core/link.ts";
import { LINK_TIMES, type LinkTimes } from "./link-peer.ts";
import { LinkSandbox } from "./link-sandbox.ts";
import type { OutServices } from "./out-services.ts";

/** The longest path of a unix socket on Linux: sun_path of unix(7) less its final zero. */
const SOCKET_PATH_MAX_BYTES = 107;
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * Listens for runners: a folder of sockets for each sandbox, below `folder` (mode 0700, made when missing).
 * `out` serves what sandboxes open to the world. `times` are the limits on waiting for a runner; tests shorten them.
 */
export function openLinkListener(options: {
  folder: string;
  log: Log;
  out: OutServices;
  times?: Partial<LinkTimes>;
}): LinkListener {
  const times = { ...LINK_TIMES, ...options.times };
  const sandboxes = new Map<string, { sandbox: LinkSandbox; listening: Promise<void> }>();
  const folderOf = (id: string): string => {
    assert(ID.test(id), `A sandbox cannot be called ${JSON.stringify(id)}.`);
    return join(options.folder, id);
  };

  async function close(id: string): Promise<void> {
    const folder = folderOf(id);
    await leave(id);
    await rm(folder, { recursive: true, force: true });
  }

  async function leave(id: string): Promise<void> {
    const open = sandboxes.get(id);
    if (open === undefined) return;
    sandboxes.delete(id);
    // Whoever called `open` was told of a failure; here it only matters that it is over.
    await open.listening.catch(() => undefined);
    await open.sandbox.close();
  }

  return {
    async open(id, outbound) {
      const folder = folderOf(id);
      const known = sandboxes.get(id);
      if (known !== undefined) {
        known.sandbox.out.answeredBy(outbound);
        await known.listening;
        return { folder };
      }
      checkLength(folder);
      const sandbox = new LinkSandbox({ id, folder, log: options.log, times, out: options.out });
      sandbox.out.answeredBy(outbound);
      const listening = ownFolder(options.folder).then(() => sandbox.listen());
      sandboxes.set(id, { sandbox, listening });
      try {
        await listening;
      } catch (error) {
        await leave(id);
        throw error;
      }
      return { folder };
    },

    async connect(id, secret, signal) {
      const open = sandboxes.get(id);
      assert(open !== undefined, `The folder of sandbox ${id} was not opened.`);
      await open.listening;
      return await open.sandbox.connect(secret, signal);
    },

    close,

    async list() {
      return (await namesIn(options.folder)).filter((name) => ID.test(name));
    },

    async [Symbol.asyncDispose]() {
      await Promise.all([...sandboxes.keys()].map(leave));
    },
  };
}

function checkLength(folder: string): void {
  for (const name of SOCKETS) {
    const path = join(folder, name);
    const bytes = Buffer.byteLength(path);
    if (bytes <= SOCKET_PATH_MAX_BYTES) continue;
    throw new AppError({
      code: "setup_failed",
      message: `The path of the socket ${path} has ${bytes} bytes; a unix socket's path ends at ${SOCKET_PATH_MAX_BYTES}.`,
      hint: "Set SEALWORK_DATA to a folder with a shorter path.",
    });
  }
}

/** The folder that keeps every other user of this machine away from all sockets. */
async function ownFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
