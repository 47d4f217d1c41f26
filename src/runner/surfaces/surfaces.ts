import { AppError } from "../../contract/errors.ts";
import type { LiveTarget } from "../../contract/live.ts";
import type {
  DesktopControl,
  PortList,
  ServiceName,
  ServiceReady,
  TerminalList,
} from "../../contract/surfaces.ts";
import type { SurfaceHandlers, TakeStream } from "../handlers.ts";
import type { Desktop } from "./desktop/desktop.ts";
import type { DisplaySocket } from "./desktop/display-socket.ts";
import { hasDesktop } from "./desktop/programs.ts";
import type { Jupyter } from "./jupyter/jupyter.ts";
import type { SurfacePlace } from "./place.ts";
import type { Processes } from "./processes/processes.ts";

/** A job that is over sooner opens nothing that anybody could look at, and its start is not held up. */
const PORTS_WATCHED_AFTER_MS = 300;

/**
 * What people use live of one job. Each part is loaded and opened when it is first asked for: most jobs are never looked at, and pay
 * nothing. Disposal ends all parts; afterwards everything is AppError `conflict`.
 */
export class Surfaces implements SurfaceHandlers, AsyncDisposable {
  readonly #begun = Promise.withResolvers<SurfacePlace>();
  readonly #opened = new AsyncDisposableStack();
  readonly #touched: () => void;
  #place: SurfacePlace | null = null;
  #processes: Promise<Processes> | null = null;
  #display: DisplaySocket | null = null;
  #desktop: Promise<Desktop> | null = null;
  #jupyter: Promise<Jupyter> | null = null;
  #open_processes: Processes | null = null;
  #control: DesktopControl = { held_by: null, clipboard: true, watched: false };
  #ended = false;

  constructor(options: { touched: () => void }) {
    this.#touched = options.touched;
    // Nobody may have asked yet when the job ends before it began.
    this.#begun.promise.catch(() => undefined);
  }

  /**
   * From here on surfaces can be used: the environment of the job's processes is known. Where the image has a desktop, programs that look
   * for a display find one once it has resolved.
   */
  async begin(place: SurfacePlace): Promise<void> {
    if (await hasDesktop()) await this.#openDisplay();
    this.#place = place;
    this.#begun.resolve(place);
    const timer = setTimeout(() => this.#watchPorts(), PORTS_WATCHED_AFTER_MS);
    this.#opened.defer(() => clearTimeout(timer));
  }

  async connect(target: LiveTarget, signal: AbortSignal): Promise<TakeStream> {
    await this.#here();
    if (target === "process") return (await this.#ownProcesses()).take;
    if (target === "desktop") return (await this.desktopOf()).connect(signal);
    if (target === "jupyter") return (await this.#ownJupyter()).connect(signal);
    const { connectPort } = await import("./ports/connect-port.ts");
    return connectPort(Number(target.slice("port.".length)), signal);
  }

  async service(name: ServiceName, signal: AbortSignal): Promise<ServiceReady> {
    await this.#here();
    if (name === "jupyter") return { token: (await (await this.#ownJupyter()).ready(signal)).token };
    await (await this.desktopOf()).ready(signal);
    return { token: null };
  }

  async ports(): Promise<PortList> {
    await this.#here();
    const { listeningPorts } = await import("./ports/listening-ports.ts");
    return { ports: await listeningPorts() };
  }

  terminals(): TerminalList {
    return { terminals: this.#open_processes?.list() ?? [] };
  }

  async endTerminal(id: string): Promise<void> {
    await this.#here();
    await (await this.#ownProcesses()).end(id);
  }

  async screen(signal: AbortSignal): Promise<Buffer> {
    await this.#here();
    return (await this.desktopOf()).screen(signal);
  }

  /** The last word holds, also for a desktop that is opened later. */
  async desktop(control: DesktopControl): Promise<void> {
    this.#control = control;
    if (this.#desktop !== null) await (await this.#desktop).control(control);
  }

  touch(): void {
    this.#touched();
  }

  /** Whether the image has a desktop; known once the job has begun. */
  get has_desktop(): boolean {
    return this.#display !== null;
  }

  /** The desktop, which the agent's tool uses too. AppError `conflict` where the image has none. */
  desktopOf(): Promise<Desktop> {
    this.#desktop ??= this.#part(async (place) => {
      const display = this.#display;
      if (display === null) throw noDesktop();
      const { openDesktop } = await import("./desktop/desktop.ts");
      return openDesktop(place, this.#control, { display });
    });
    return this.#desktop;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    this.#begun.reject(ended());
    await this.#opened[Symbol.asyncDispose]();
  }

  async #openDisplay(): Promise<void> {
    const { DisplaySocket } = await import("./desktop/display-socket.ts");
    const start = async (signal: AbortSignal) => (await this.desktopOf()).use(signal);
    this.#display = this.#opened.use(new DisplaySocket(start));
    await this.#display.listen();
  }

  async #ownProcesses(): Promise<Processes> {
    this.#processes ??= this.#part(async (place) => {
      const { openProcesses } = await import("./processes/processes.ts");
      return openProcesses(place);
    });
    this.#open_processes = await this.#processes;
    return this.#open_processes;
  }

  #watchPorts(): void {
    const watch = this.#part(async ({ emit }) => {
      const { PortWatch } = await import("./ports/port-watch.ts");
      return new PortWatch({ emit });
    });
    // It fails only when the job has ended meanwhile.
    watch.catch(() => undefined);
  }

  #ownJupyter(): Promise<Jupyter> {
    this.#jupyter ??= this.#part(async (place) => {
      const { openJupyter } = await import("./jupyter/jupyter.ts");
      return openJupyter(place);
    });
    return this.#jupyter;
  }

  async #here(): Promise<SurfacePlace> {
    if (this.#ended) throw ended();
    return this.#place ?? (await this.#begun.promise);
  }

  async #part<P extends AsyncDisposable>(open: (place: SurfacePlace) => Promise<P>): Promise<P> {
    const part = await open(await this.#here());
    if (!this.#ended) return this.#opened.use(part);
    await part[Symbol.asyncDispose]();
    throw ended();
  }
}

function noDesktop(): AppError {
  return new AppError({
    code: "conflict",
    message: "This image has no desktop; the template `desktop` has one.",
  });
}

function ended(): AppError {
  return new AppError({
    code: "conflict",
    message: "The job's work has ended, and with it what could be used live.",
  });
}
