import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../../contract/errors.ts";
import type { DesktopControl } from "../../../contract/surfaces.ts";
import type { TakeStream } from "../../handlers.ts";
import { passBytes } from "../pass-bytes.ts";
import type { SurfacePlace } from "../place.ts";
import { connectService } from "../services/connect-service.ts";
import { Service, type ServiceOptions } from "../services/service.ts";
import { Captures } from "./captures.ts";
import { connectedPrograms, type DisplaySocket } from "./display-socket.ts";
import { DriverGate } from "./driver-gate.ts";
import { Keyboard } from "./keyboard.ts";
import { pngOf } from "./png.ts";
import { SESSION, X_SERVER } from "./programs.ts";
import { Screen } from "./screen.ts";
import { XPrograms } from "./x-programs.ts";

const CLIPBOARD_MAX_MS = 10_000;
/** Programs of the session itself that are connected to the X server: the window manager. With more the desktop is in use. */
const SESSION_PROGRAMS = 1;

/** The desktop of a sandbox: starts on first use, ends when nobody has used it for a while, and can be started again. */
export interface Desktop extends AsyncDisposable {
  /** Starts it unless it runs. */
  ready(signal: AbortSignal): Promise<void>;
  /** Starts it unless it runs, and counts as a use until the result is disposed of. */
  use(signal: AbortSignal): Promise<Disposable>;
  /** A connection that speaks RFB. */
  connect(signal: AbortSignal): Promise<TakeStream>;
  /** The screen as PNG. */
  screen(signal: AbortSignal): Promise<Buffer>;
  /** Who drives, who looks, and whether the clipboard passes. */
  control(control: DesktopControl): Promise<void>;
  /** What the agent's tool works with. */
  readonly hands: DesktopHands;
}

export type DesktopHands = {
  readonly gate: DriverGate;
  readonly screen: Screen;
  readonly captures: Captures;
  readonly keyboard: Keyboard;
  readonly programs: XPrograms;
};

/** The image must have a desktop; `display` is where its programs look for it. */
export async function openDesktop(
  place: SurfacePlace,
  control: DesktopControl,
  options: { display: DisplaySocket; idle_ms?: number; wait?: NonNullable<ServiceOptions["wait"]> },
): Promise<Desktop> {
  const folder = join(place.scratch, ".sealwork-desktop");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const opened = new OpenDesktop(place, join(folder, "vnc"), options);
  await opened.control(control);
  return opened;
}

class OpenDesktop implements Desktop {
  readonly hands: DesktopHands;
  readonly #service: Service;
  readonly #screen: Screen;
  readonly #captures: Captures;
  readonly #gate = new DriverGate();
  readonly #programs: XPrograms;
  readonly #socket_path: string;
  #control: DesktopControl = { held_by: null, clipboard: true, watched: false };
  /** What the running X server has been told; a new one lets the clipboard pass. */
  #clipboard_passes = true;

  constructor(place: SurfacePlace, socket_path: string, options: Parameters<typeof openDesktop>[2]) {
    const { display, ...timing } = options;
    const { env, home, processes, emit, blobs } = place;
    this.#socket_path = socket_path;
    const part = { cwd: home, env };
    const cleanUp = async (): Promise<void> => {
      this.#clipboard_passes = true;
      await rm(socket_path, { force: true }).catch(() => undefined);
      await display.listen();
    };
    this.#service = new Service({
      name: "desktop",
      title: "The desktop",
      parts: [
        {
          ...part,
          name: "The X server",
          argv: [X_SERVER, socket_path],
          socket: socket_path,
          spares_children: false,
          cleanUp,
        },
        {
          ...part,
          name: "The window manager",
          argv: [SESSION],
          socket: null,
          spares_children: true,
        },
      ],
      processes,
      emit,
      busy: async () => (await connectedPrograms()) > SESSION_PROGRAMS,
      ...timing,
    });
    this.#screen = new Screen({ socket_path, use: (signal) => this.use(signal) });
    const running = (): boolean => this.#service.is_up;
    this.#captures = new Captures({ screen: this.#screen, blobs, emit, running });
    this.#programs = new XPrograms(place);
    this.hands = {
      gate: this.#gate,
      screen: this.#screen,
      captures: this.#captures,
      keyboard: new Keyboard(this.#programs),
      programs: this.#programs,
    };
  }

  async ready(signal: AbortSignal): Promise<void> {
    using _use = await this.use(signal);
  }

  use(signal: AbortSignal): Promise<Disposable> {
    return this.#service.use(signal);
  }

  async connect(signal: AbortSignal): Promise<TakeStream> {
    const socket = await connectService(this.#service, this.#socket_path, signal);
    try {
      await this.#setClipboard(signal);
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return passBytes(socket);
  }

  async screen(signal: AbortSignal): Promise<Buffer> {
    using look = await this.#screen.look(signal);
    await look.client.refresh(signal);
    return pngOf(look.client.picture);
  }

  async control(control: DesktopControl): Promise<void> {
    this.#control = control;
    this.#gate.hold(control.held_by);
    this.#captures.watch(control.watched);
    await this.#setClipboard(AbortSignal.timeout(CLIPBOARD_MAX_MS));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#captures[Symbol.asyncDispose]();
    this.#screen[Symbol.dispose]();
    await this.#service[Symbol.asyncDispose]();
  }

  async #setClipboard(signal: AbortSignal): Promise<void> {
    const { clipboard } = this.#control;
    if (!this.#service.is_up || clipboard === this.#clipboard_passes) return;
    const value = clipboard ? 1 : 0;
    const set = ["-set", `SendCutText=${value}`, "-set", `AcceptCutText=${value}`];
    const { ok, output } = await this.#programs.run(["vncconfig", ...set], signal);
    if (!ok) throw new AppError({ code: "conflict", message: `The clipboard cannot be switched: ${output}` });
    this.#clipboard_passes = clipboard;
  }
}
