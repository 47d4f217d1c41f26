import RFB from "@novnc/novnc";
import { CLOSED } from "../../../../src/contract/live-closing.ts";
import { ApiError, request } from "../../api/request.ts";
import { waitBefore } from "../../api/wait-before.ts";
import { socketAddress, whyRefused } from "./reconnect.ts";
import type { Viewer } from "./viewer.ts";

export type Desktop = RFB;

/** How the connection to a desktop stands. */
export type LineState =
  | { kind: "connecting" }
  | { kind: "on"; rfb: Desktop }
  /** It broke off, and is tried again. */
  | { kind: "lost" }
  /** Trying again is no use. */
  | { kind: "over"; why: "no_desktop" | "refused"; text: string };

type Told = {
  state(state: LineState): void;
  /** What the desktop showed last, as an address of a picture. */
  picture(address: string): void;
  /** What was copied on the desktop. */
  copied(text: string): void;
};

const PICTURE_QUALITY = 0.7;

/** Keeps a connection to the desktop of a job and shows it in `stage`; comes back by itself when it is lost. Disposal ends it. */
export class DesktopLine implements Disposable {
  readonly #path: string;
  readonly #stage: HTMLElement;
  readonly #viewer: Viewer;
  readonly #told: Told;
  readonly #gone = new AbortController();
  #tries = 0;
  #rfb: Desktop | null = null;
  #socket: WebSocket | null = null;

  constructor(job_id: string, options: { stage: HTMLElement; viewer: Viewer; told: Told }) {
    this.#path = `/jobs/${job_id}`;
    this.#stage = options.stage;
    this.#viewer = options.viewer;
    this.#told = options.told;
    void this.#begin();
  }

  [Symbol.dispose](): void {
    this.#gone.abort();
    // A socket that is closing hands nothing on any more, which the client would not expect.
    this.#socket?.close(CLOSED.done);
    this.#rfb?.disconnect();
  }

  /** The first picture starts the desktop, and says so where the image has none. */
  async #begin(): Promise<void> {
    const { signal } = this.#gone;
    try {
      const answer = await request(`${this.#path}/screen.png`, { signal });
      const picture = URL.createObjectURL(await answer.blob());
      signal.addEventListener("abort", () => URL.revokeObjectURL(picture), { once: true });
      if (signal.aborted) return;
      this.#told.picture(picture);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.code === "conflict")
        return this.#told.state({ kind: "over", why: "no_desktop", text: error.message });
      return this.#again(() => this.#begin());
    }
    this.#open();
  }

  #open(): void {
    const { signal } = this.#gone;
    const query = new URLSearchParams(this.#viewer);
    const socket = new WebSocket(socketAddress(`${this.#path}/desktop?${query}`));
    this.#socket = socket;
    let closing = { code: 1006, reason: "" };
    let connected = false;
    // Told to this one before the client, which takes its picture away.
    socket.addEventListener("close", (event) => {
      closing = event;
      if (connected && !signal.aborted) this.#told.picture(rfb.toDataURL("image/jpeg", PICTURE_QUALITY));
    });
    const rfb = new RFB(this.#stage, socket, { shared: true });
    this.#rfb = rfb;
    rfb.viewOnly = true;
    rfb.background = "transparent";
    rfb.addEventListener("connect", () => {
      connected = true;
      this.#tries = 0;
      this.#told.state({ kind: "on", rfb });
    });
    rfb.addEventListener("clipboard", (event) => {
      if (event instanceof CustomEvent) this.#told.copied(String(event.detail.text));
    });
    // The socket's own close may be told after this, and it says why.
    rfb.addEventListener("disconnect", () => {
      this.#rfb = null;
      setTimeout(() => void this.#lost(closing, connected));
    });
  }

  async #lost({ code, reason }: { code: number; reason: string }, connected: boolean): Promise<void> {
    if (this.#gone.signal.aborted) return;
    // The page hears of the job's end from its events.
    if (code === CLOSED.refused) return this.#told.state({ kind: "over", why: "refused", text: reason });
    this.#told.state({ kind: connected || this.#tries > 0 ? "lost" : "connecting" });
    if (!connected) {
      const refusal = await whyRefused(`${this.#path}/desktop`, this.#gone.signal);
      if (this.#gone.signal.aborted) return;
      if (refusal !== null) return this.#told.state({ kind: "over", why: "refused", text: refusal.message });
    }
    this.#again(() => this.#open());
  }

  #again(work: () => unknown): void {
    const timer = setTimeout(work, waitBefore(this.#tries));
    this.#gone.signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
    this.#tries += 1;
    if (this.#tries > 1) this.#told.state({ kind: "lost" });
  }
}
