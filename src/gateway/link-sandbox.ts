import { chmod, mkdir, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { AppError } from "../contract/errors.ts";
import {
  LINK_PROTOCOL,
  LINK_PROTOCOLS_SERVED,
  LINK_ROUTES,
  SOCKETS,
  type SocketName,
  type Start,
} from "../contract/link.ts";
import { Hello } from "../contract/link-answers.ts";
import type { Log } from "../core/dependencies.ts";
import { LIVE_WINDOWS } from "./link-live.ts";
import { LinkOut } from "./link-out.ts";
import { LinkPeer, type LinkTimes, linkLost, violated } from "./link-peer.ts";
import { RunnerLink, valid } from "./link-runner.ts";
import type { OutServices } from "./out-services.ts";

/** Connections to one socket of a sandbox at the same time. */
const CONNECTIONS_MAX = 16;
/** Connections of one sandbox that have not said hello yet; further ones are closed at once. */
const PENDING_MAX = 8;

type Served = Exclude<SocketName, "out">;
/** A connection that said hello and waits for its other half and for somebody who wants the link. */
type Candidate = { peer: LinkPeer; hello: Hello };
type Waiting = {
  secret: string | null;
  resolve: (link: RunnerLink) => void;
  reject: (reason: unknown) => void;
};

/** The sockets of one sandbox, and the one link that comes of the connections to them. */
export class LinkSandbox {
  readonly out: LinkOut;
  readonly #id: string;
  readonly #folder: string;
  readonly #log: Log;
  readonly #times: LinkTimes;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #candidates = new Map<Served, Candidate>();
  readonly #waiting = new Set<Waiting>();
  readonly #logged = new Set<string>();
  #link: RunnerLink | null = null;
  /** What was started over this link: whoever comes later must know it, asked for or not. */
  #started: { job_id: string; secret: string } | null = null;
  #pending = 0;
  #closed = false;

  constructor(options: { id: string; folder: string; log: Log; times: LinkTimes; out: OutServices }) {
    this.out = new LinkOut({ id: options.id, services: options.out, log: options.log });
    this.#id = options.id;
    this.#folder = options.folder;
    this.#log = options.log;
    this.#times = options.times;
  }

  /** Makes the folder and its sockets anew; what an earlier orchestrator left there is replaced. */
  async listen(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    // After mkdir, whose mode the umask would cut: the sandbox's user must get in, the parent keeps all others out.
    await chmod(this.#folder, 0o755);
    for (const name of SOCKETS) await this.#listenOn(name);
  }

  /** As LinkListener.connect says. */
  connect(secret: string | null, signal: AbortSignal): Promise<RunnerLink> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<RunnerLink>();
    const waiting: Waiting = { secret, resolve, reject };
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    this.#waiting.add(waiting);
    if (this.#link !== null && !this.#known(this.#link.hello, secret)) {
      this.#link.control.destroy("its runner does not know the secret of the job");
    }
    this.#settle();
    return promise.finally(() => {
      signal.removeEventListener("abort", abort);
      this.#waiting.delete(waiting);
    });
  }

  /** Closes sockets and connections; the folder stays. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const waiting of this.#waiting) waiting.reject(linkLost(`sandbox ${this.#id} was closed here`));
    this.#link?.control.destroy("it was closed here");
    for (const { peer } of this.#candidates.values()) peer.destroy("it was closed here");
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(
      this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    );
  }

  async #listenOn(name: SocketName): Promise<void> {
    const path = join(this.#folder, name);
    await rm(path, { force: true });
    const server = createServer((socket) => void this.#accept(name, socket));
    // A sandbox that opens connections without end must not use up what this process may open.
    server.maxConnections = CONNECTIONS_MAX;
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
    server.removeAllListeners("error");
    server.on("error", (error) =>
      this.#log("error", "A socket of a sandbox failed.", { id: this.#id, name, error }),
    );
    await chmod(path, 0o666);
  }

  /** Never rejects: whatever a connection does wrong ends that connection. */
  async #accept(name: SocketName, socket: Socket): Promise<void> {
    socket.on("error", () => socket.destroy());
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    if (this.#closed || this.#pending >= PENDING_MAX) {
      socket.destroy();
      return;
    }
    if (name === "out") {
      this.out.serve(socket);
      return;
    }
    this.#pending += 1;
    try {
      await this.#greet(name, socket);
    } catch (error) {
      socket.destroy();
      this.#logOnce(`A connection to ${name} was dropped.`, error);
      const lied = error instanceof AppError && error.code === "protocol_violated";
      if (lied && this.#link === null) for (const waiting of this.#waiting) waiting.reject(error);
    } finally {
      this.#pending -= 1;
    }
  }

  async #greet(name: Served, socket: Socket): Promise<void> {
    const held = name === "live" ? this.#link?.live.peer : this.#link?.[name];
    const holder = held ?? this.#candidates.get(name)?.peer;
    if (holder !== undefined && (await holder.ping())) throw new Error("Another connection holds its place.");
    if (socket.destroyed || this.#closed) throw new Error("It was closed before it said hello.");
    const peer = new LinkPeer(socket, this.#times, name === "live" ? LIVE_WINDOWS : undefined);
    try {
      const timeout = AbortSignal.timeout(this.#times.hello_ms);
      const hello = valid(
        Hello,
        await peer.json({ method: "GET", route: LINK_ROUTES.hello }, timeout),
        "its hello",
      );
      if (!LINK_PROTOCOLS_SERVED.includes(hello.protocol)) {
        throw violated(`it speaks version ${hello.protocol} of the link, this orchestrator ${LINK_PROTOCOL}`);
      }
      this.#admit(name, { peer, hello });
    } catch (error) {
      peer.destroy("it was turned away");
      throw error;
    }
  }

  #admit(name: Served, candidate: Candidate): void {
    const held = name === "live" ? this.#link?.live.peer : this.#link?.[name];
    if (this.#closed || held?.lost.aborted === false || this.#candidates.has(name)) {
      throw new Error("Another connection was first.");
    }
    candidate.peer.lost.throwIfAborted();
    if (name === "live" && this.#link !== null) {
      // It says the same as the link's own connections did, and knows the secret that was given meanwhile.
      const { hello } = this.#link;
      if (hello.epoch !== candidate.hello.epoch || !this.#known(candidate.hello, null)) {
        throw new Error("It is of another runner than the link.");
      }
      this.#link.live.arrived(candidate.peer);
      return;
    }
    const other = [...this.#candidates.values()][0];
    // Two connections of two runners are no link: the one that came last is the one that lives.
    if (other !== undefined && !same(other.hello, candidate.hello)) other.peer.destroy("another runner came");
    this.#candidates.set(name, candidate);
    candidate.peer.lost.addEventListener("abort", () => {
      if (this.#candidates.get(name) === candidate) this.#candidates.delete(name);
    });
    this.#settle();
  }

  /** Turns away who must not have the link, makes the link when both halves are there, and gives it to those who wait. */
  #settle(): void {
    for (const { peer, hello } of this.#candidates.values()) {
      const wanted = [...this.#waiting].some(({ secret }) => this.#known(hello, secret));
      if (wanted || (this.#waiting.size === 0 && this.#known(hello, null))) continue;
      this.#logOnce("A runner that does not know the secret of its job was turned away.", null);
      peer.destroy("its runner does not know the secret of the job");
    }
    const control = this.#candidates.get("control");
    const bulk = this.#candidates.get("bulk");
    if (this.#link === null && this.#waiting.size > 0 && control !== undefined && bulk !== undefined) {
      const live = this.#candidates.get("live");
      this.#candidates.clear();
      const link = this.#become(control, bulk.peer);
      if (live !== undefined) link.live.arrived(live.peer);
    }
    for (const { secret, resolve } of this.#waiting) {
      if (this.#link !== null && this.#known(this.#link.hello, secret)) resolve(this.#link);
    }
  }

  #become({ peer, hello }: Candidate, bulk: LinkPeer): RunnerLink {
    const started = ({ job_id, secret }: Start): void => {
      this.#started = { job_id, secret };
    };
    const link = new RunnerLink({ hello, control: peer, bulk, times: this.#times, started });
    this.#link = link;
    link.lost.addEventListener("abort", () => {
      if (this.#link === link) this.#link = null;
    });
    return link;
  }

  /** Whether a runner that said this may have the link for somebody who gives `secret`. */
  #known(hello: Hello, secret: string | null): boolean {
    const living = this.#link?.hello === hello;
    const told = living && this.#started !== null ? this.#started : hello;
    if (secret !== null && told.secret !== secret) return false;
    if (this.#started === null || living) return true;
    return hello.secret === this.#started.secret && hello.job_id === this.#started.job_id;
  }

  #logOnce(message: string, error: unknown): void {
    const key = `${message} ${error instanceof AppError ? error.code : ""}`;
    if (this.#logged.has(key)) return;
    this.#logged.add(key);
    this.#log("warn", message, { id: this.#id, ...(error === null ? {} : { error: String(error) }) });
  }
}

function same(a: Hello, b: Hello): boolean {
  return a.epoch === b.epoch && a.secret === b.secret && a.job_id === b.job_id;
}
