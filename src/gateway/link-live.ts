import type { Duplex } from "node:stream";
import { AppError } from "../contract/errors.ts";
import { LINK_ROUTES } from "../contract/link.ts";
import { LIVE_STREAMS_MAX, LIVE_WINDOW_BYTES, type LiveTarget } from "../contract/live.ts";
import {
  type DesktopControl,
  PortList,
  type ServiceName,
  ServiceReady,
  TerminalList,
} from "../contract/surfaces.ts";
import type { LiveLink } from "../core/link.ts";
import { type LinkPeer, type LinkWindows, linkLost } from "./link-peer.ts";
import { type RunnerLink, refuseBefore, SURFACES_SINCE, valid } from "./link-runner.ts";

/** How long a stream waits for a `live` connection that is not there (yet): a runner redials every 2 s. */
const LIVE_WAIT_MS = 10_000;
/** As much as all streams can hold together, so that one which nobody reads never holds up another. */
export const LIVE_WINDOWS: LinkWindows = {
  stream_bytes: LIVE_WINDOW_BYTES,
  session_bytes: LIVE_WINDOW_BYTES * LIVE_STREAMS_MAX,
  memory_mb: (2 * LIVE_WINDOW_BYTES * LIVE_STREAMS_MAX) / (1024 * 1024),
};

type OwnLink = Pick<RunnerLink, "control" | "hello" | "lost" | "bytes">;

/** The `live` connection of one runner, which may come after its link and may be lost and dialled again beside it. */
export class RunnerLive implements LiveLink {
  readonly #link: OwnLink;
  readonly #arrived = new EventTarget();
  #peer: LinkPeer | null = null;
  #streams = 0;

  constructor(link: OwnLink) {
    this.#link = link;
  }

  get peer(): LinkPeer | null {
    return this.#peer === null || this.#peer.lost.aborted ? null : this.#peer;
  }

  /** Takes the connection that the runner dialled; it ends with the link. */
  arrived(peer: LinkPeer): void {
    this.#peer = peer;
    const gone = (): void => peer.destroy("the link that it belonged to was lost");
    if (this.#link.lost.aborted) gone();
    else this.#link.lost.addEventListener("abort", gone, { once: true });
    peer.lost.addEventListener("abort", () => this.#link.lost.removeEventListener("abort", gone));
    this.#arrived.dispatchEvent(new Event("arrived"));
  }

  async connect(target: LiveTarget, signal: AbortSignal): Promise<Duplex> {
    refuseBefore(SURFACES_SINCE, this.#link.hello);
    if (this.#streams >= LIVE_STREAMS_MAX) {
      throw new AppError({
        code: "too_many_requests",
        message: `${LIVE_STREAMS_MAX} connections into this sandbox are open already.`,
        hint: "Close some terminals, desktops or pages.",
      });
    }
    this.#streams += 1;
    let opened = false;
    try {
      const stream = await (await this.#living(signal)).connect(target, signal);
      opened = true;
      stream.once("close", () => {
        this.#streams -= 1;
      });
      return stream;
    } finally {
      if (!opened) this.#streams -= 1;
    }
  }

  async service(name: ServiceName, signal: AbortSignal): Promise<ServiceReady> {
    return valid(ServiceReady, await this.#ask("POST", LINK_ROUTES.service, { name }, signal), "a service");
  }

  async ports(signal: AbortSignal): Promise<PortList> {
    return valid(PortList, await this.#ask("GET", LINK_ROUTES.ports, undefined, signal), "a list of ports");
  }

  async terminals(signal: AbortSignal): Promise<TerminalList> {
    const answer = await this.#ask("GET", LINK_ROUTES.terminals, undefined, signal);
    return valid(TerminalList, answer, "a list of terminals");
  }

  async endTerminal(id: string, signal: AbortSignal): Promise<void> {
    await this.#ask("POST", LINK_ROUTES.end_terminal, { id }, signal);
  }

  screen(signal: AbortSignal): Promise<Buffer> {
    refuseBefore(SURFACES_SINCE, this.#link.hello);
    return this.#link.bytes({ method: "GET", route: LINK_ROUTES.screen }, signal);
  }

  async desktop(control: DesktopControl, signal: AbortSignal): Promise<void> {
    await this.#ask("POST", LINK_ROUTES.desktop, control, signal);
  }

  async touch(signal: AbortSignal): Promise<void> {
    await this.#ask("POST", LINK_ROUTES.touch, {}, signal);
  }

  #ask(method: "GET" | "POST", route: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    refuseBefore(SURFACES_SINCE, this.#link.hello);
    return this.#link.control.json({ method, route, ...(body === undefined ? {} : { body }) }, signal);
  }

  async #living(signal: AbortSignal): Promise<LinkPeer> {
    const late = AbortSignal.timeout(LIVE_WAIT_MS);
    const over = AbortSignal.any([signal, late, this.#link.lost]);
    for (let peer = this.peer; ; peer = this.peer) {
      if (peer !== null) return peer;
      if (late.aborted) throw linkLost(`its live connection did not come for ${LIVE_WAIT_MS} ms`);
      over.throwIfAborted();
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.#arrived.removeEventListener("arrived", done);
          over.removeEventListener("abort", done);
          resolve();
        };
        this.#arrived.addEventListener("arrived", done);
        over.addEventListener("abort", done);
      });
    }
  }
}
