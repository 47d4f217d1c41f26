import { randomBytes } from "node:crypto";
import { access, constants, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../../contract/errors.ts";
import { jupyterBasePath } from "../../../contract/live.ts";
import type { TakeStream } from "../../handlers.ts";
import { passBytes } from "../pass-bytes.ts";
import type { SurfacePlace } from "../place.ts";
import { connectService } from "../services/connect-service.ts";
import { Service } from "../services/service.ts";
import { isJupyterBusy } from "./jupyter-busy.ts";

/** What starts it, where an image has it (images/desktop). */
const LAB = "/opt/sealwork/jupyter/lab";
/** Longer than other services: with it end the values of people's own kernels, and their terminals. */
export const JUPYTER_IDLE_MS = 30 * 60 * 1000;

/** Jupyter Lab in a sandbox: starts on first use, ends when nobody has used it for a while, and can be started again. */
export interface Jupyter extends AsyncDisposable {
  /** Starts it unless it runs; the token is what it wants of every request, made anew for each job. */
  ready(signal: AbortSignal): Promise<{ token: string }>;
  /** A connection that speaks HTTP/1.1. */
  connect(signal: AbortSignal): Promise<TakeStream>;
}

/** AppError `conflict` when the image has no Jupyter Lab. */
export async function openJupyter(place: SurfacePlace): Promise<Jupyter> {
  await access(LAB, constants.X_OK).catch((cause) => {
    const message = "This image has no Jupyter Lab; the template `desktop` has one.";
    throw new AppError({ code: "conflict", message, cause });
  });
  const token = randomBytes(32).toString("hex");
  const base_path = jupyterBasePath(place.job_id);
  // Of mode 0700 for its socket and those of its kernels; a name with a dot outlasts who tidies up the folder for temporary files.
  const folder = join(place.scratch, `.sw-${randomBytes(4).toString("hex")}`);
  const socket = join(folder, "lab");
  const makeFolder = async (): Promise<void> => {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
  };
  await makeFolder();
  const service = new Service({
    name: "jupyter",
    title: "Jupyter Lab",
    parts: [
      {
        name: "Jupyter Lab",
        argv: [LAB, socket, folder, base_path],
        cwd: place.workspace,
        env: { ...place.env, JUPYTER_TOKEN: token },
        socket,
        spares_children: false,
        // When it cannot be made the next start fails, and says so.
        cleanUp: () => makeFolder().catch(() => undefined),
      },
    ],
    processes: place.processes,
    emit: place.emit,
    idle_ms: JUPYTER_IDLE_MS,
    busy: () => isJupyterBusy({ socket, base_path, token }),
  });

  return {
    async ready(signal) {
      using _use = await service.use(signal);
      return { token };
    },
    async connect(signal) {
      return passBytes(await connectService(service, socket, signal));
    },
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
