import RFB from "/novnc/core/rfb.js";

/** How long to wait before the next try: short at first, because most interruptions are. */
const WAITS_MS = [250, 500, 1000, 2000, 4000];
/** With these codes a socket of a desktop is closed; any other means: come back. */
const ENDED = 4001;
const REFUSED = 4003;

/**
 * Keeps a connection to the desktop: comes back by itself when it is lost. Events: `on` with the RFB client, `lost` while it tries again,
 * `over` with a title and a text when trying again is no use, `picture` with the last one before that, `clipboard` with what was copied on
 * the desktop.
 */
export class Connection extends EventTarget {
  #stage;
  #query;
  #tries = 0;
  #timer = 0;

  constructor(stage, { viewer, name }) {
    super();
    this.#stage = stage;
    this.#query = new URLSearchParams({ viewer, name });
  }

  open() {
    clearTimeout(this.#timer);
    const address = new URL(`/rfb?${this.#query}`, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    let closing = { code: 1006, reason: "" };
    let connected = false;
    // Told to this one before the client, which takes its picture away.
    socket.addEventListener("close", (event) => {
      closing = event;
      if (connected) this.#say("picture", rfb.toDataURL("image/jpeg", 0.7));
    });
    const rfb = new RFB(this.#stage, socket, { shared: true });
    rfb.viewOnly = true;
    rfb.background = "transparent";
    rfb.addEventListener("connect", () => {
      connected = true;
      this.#tries = 0;
      this.#say("on", rfb);
    });
    rfb.addEventListener("clipboard", ({ detail }) => this.#say("clipboard", detail.text));
    // The socket's own close may be told after this, and it says why.
    rfb.addEventListener("disconnect", () => setTimeout(() => this.#lost(closing, connected)));
  }

  async #lost({ code, reason }, connected) {
    if (code === ENDED)
      return this.#over(
        "This job has ended",
        "What it made is in its ZIP, and its screen can still be looked at.",
      );
    if (code === REFUSED) return this.#over("The desktop closed this connection", reason);
    this.#say("lost", { connected });
    if (!connected) {
      const verdict = await this.#whyNot();
      if (verdict !== null) return this.#over(...verdict);
    }
    const wait_ms = WAITS_MS[Math.min(this.#tries, WAITS_MS.length - 1)];
    this.#tries += 1;
    this.#timer = setTimeout(() => this.open(), wait_ms);
  }

  /** A refused WebSocket says nothing to a page, so the page itself is asked for. */
  async #whyNot() {
    try {
      const { status } = await fetch("/icon.svg", { cache: "no-store" });
      if (status === 404) return ["This job has ended", "What it made is in its ZIP."];
      if (status === 401) return ["This page was closed", "Open the desktop again to get a new address."];
    } catch {
      // No server answers, so there is nothing to do but to try again.
    }
    return null;
  }

  #over(title, text) {
    this.#say("over", { title, text });
  }

  #say(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
