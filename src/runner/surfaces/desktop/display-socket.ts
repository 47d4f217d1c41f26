import { chmod, mkdir, readFile, rename, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";

const FOLDER = "/tmp/.X11-unix";
const DISPLAY_SOCKET = join(FOLDER, "X1");
/** Bound here and moved into place: Node removes the path that it was bound to when it stops listening, and by then the X server's may be there. */
const BOUND = join(FOLDER, ".sealwork-X1");
/** The X server has this name too, which programs try first; it is never ours. */
const SERVER_SOCKET = `\0${DISPLAY_SOCKET}`;
const LOCK = "/tmp/.X1-lock";
/** Programs that wait for the X server at the same time; more are refused. */
const WAITING_MAX = 64;
/** A socket in /proc/net/unix that is connected (SS_CONNECTED). */
const CONNECTED = "03";

/**
 * The place where programs look for the display: before the X server runs, the first program that looks there starts it and is carried over to it.
 * The X server takes the path over; later programs reach it without us.
 */
export class DisplaySocket implements AsyncDisposable {
  readonly #start: (signal: AbortSignal) => Promise<Disposable>;
  readonly #clients = new Set<Socket>();
  #server: Server | null = null;

  /** `start` starts the X server and counts as a use of it. */
  constructor(start: (signal: AbortSignal) => Promise<Disposable>) {
    this.#start = start;
  }

  /**
   * Listens (again), in the place of what an X server left behind. Where that cannot be, programs are refused until a person opens the desktop, as on
   * any machine whose display is off.
   */
  async listen(): Promise<void> {
    this.#server?.close();
    const server = createServer({ allowHalfOpen: true }, (client) => this.#take(client));
    this.#server = server;
    // A program that cannot be taken, for want of descriptors, sees no display.
    server.on("error", () => undefined);
    try {
      await mkdir(FOLDER, { recursive: true });
      // As every program of X expects it; the umask may take bits away.
      await chmod(FOLDER, 0o1777).catch(() => undefined);
      await Promise.all([rm(BOUND, { force: true }), rm(LOCK, { force: true })]);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      server.once("error", reject);
      server.listen(BOUND, resolve);
      await promise;
      await rename(BOUND, DISPLAY_SOCKET);
    } catch {
      server.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server?.close();
    for (const client of this.#clients) client.destroy();
    await rm(DISPLAY_SOCKET, { force: true }).catch(() => undefined);
  }

  #take(client: Socket): void {
    client.on("error", () => client.destroy());
    if (this.#clients.size >= WAITING_MAX) {
      client.destroy();
      return;
    }
    this.#clients.add(client);
    const gone = new AbortController();
    client.once("close", () => {
      this.#clients.delete(client);
      gone.abort();
    });
    this.#carry(client, gone.signal).catch(() => client.destroy());
  }

  async #carry(client: Socket, gone: AbortSignal): Promise<void> {
    const use = await this.#start(gone);
    gone.addEventListener("abort", () => use[Symbol.dispose](), { once: true });
    if (gone.aborted) use[Symbol.dispose]();
    const server = connect({ path: SERVER_SOCKET, allowHalfOpen: true });
    server.on("error", () => client.destroy());
    server.once("close", () => client.destroy());
    client.once("close", () => server.destroy());
    client.pipe(server);
    server.pipe(client);
  }
}

/** How many programs are connected to the X server. */
export async function connectedPrograms(): Promise<number> {
  const table = await readFile("/proc/net/unix", "latin1").catch(() => "");
  return table.split("\n").filter((line) => {
    const [, , , , , state, , path] = line.split(" ");
    return state === CONNECTED && (path === DISPLAY_SOCKET || path === `@${DISPLAY_SOCKET}`);
  }).length;
}
