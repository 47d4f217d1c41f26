import { once } from "node:events";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { openFolderArtifacts } from "../artifacts/folder.ts";
import type { Progress } from "../cli/progress.ts";
import type { Holder } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import { VERSION } from "../contract/version.ts";
import { Orchestrator } from "../core/orchestrator.ts";
import { SignIns } from "../core/sign-ins.ts";
import { DockerDriver } from "../drivers/docker.ts";
import { openLinkListener } from "../gateway/link.ts";
import { createServer } from "../server/app.ts";
import { type Listening, listen } from "../server/listen.ts";
import { openSqliteStore } from "../stores/sqlite.ts";
import { lockState } from "../stores/state-lock.ts";
import { systemClock } from "./clock.ts";
import { doctor } from "./doctor.ts";
import { openGateway } from "./gateway.ts";
import { createJsonLog } from "./json-log.ts";
import { systemNames } from "./names.ts";
import type { Ready } from "./set-up.ts";
import {
  DEFAULT_PORT,
  providersOf,
  readOrMakeFingerprintSecret,
  readOrMakeInstallationId,
  readOrMakePreviewSecret,
  readOrMakeToken,
  type Settings,
} from "./settings.ts";

export type ServeOptions = {
  host: string;
  /** Null takes the usual port; a background server takes a free one when that is taken. */
  port: number | null;
  no_auth: boolean;
  background: boolean;
};

/** Runs the orchestrator until the signal aborts or the process is told to end; everything is closed when it resolves. */
export async function serve(
  settings: Settings,
  options: ServeOptions,
  ready: Ready,
  progress: Progress,
  outer: AbortSignal,
): Promise<void> {
  const { config, data } = settings;
  const log = createJsonLog(process.stderr);
  const terminated = new AbortController();
  const terminate = () => terminated.abort();
  process.once("SIGTERM", terminate);
  const stop = AbortSignal.any([outer, terminated.signal]);

  await using stack = new AsyncDisposableStack();
  stack.defer(() => void process.off("SIGTERM", terminate));
  const holder: Holder = {
    url: "",
    pid: process.pid,
    version: VERSION,
    started_at: new Date().toISOString(),
    background: options.background,
    providers: providersOf(settings.environment),
  };
  const lock = stack.use(await lockState(data, holder));
  const token = options.no_auth ? null : readOrMakeToken(data);
  const store = stack.use(await openSqliteStore({ file: join(data, "sealwork.db") }));
  const sign_ins = stack.use(
    await SignIns.open({ store, clock: systemClock, names: systemNames, installation_token: token, log }),
  );
  const gateway = stack.use(openGateway(settings, ready.engine, log));
  const links = stack.use(openLinkListener({ folder: join(data, "links"), log, out: gateway.out }));
  const installation = readOrMakeInstallationId(data);
  const driver = stack.use(new DockerDriver({ docker: ready.engine.docker, installation }));
  const orchestrator = stack.use(
    await Orchestrator.start({
      config,
      concurrency: config.concurrency ?? availableParallelism(),
      owner: `${process.pid}`,
      store,
      driver,
      images: ready.images,
      links,
      artifacts: await openFolderArtifacts({ folder: join(data, "jobs") }),
      clock: systemClock,
      names: systemNames,
      providers: gateway.providers,
      network: gateway.network,
      doctor: (signal) => doctor(settings, signal),
      log,
    }),
  );
  const app = await createServer({
    orchestrator,
    sign_ins,
    token,
    dashboard_origins: config.dashboard.origins,
    fingerprint_secret: readOrMakeFingerprintSecret(data),
    previews: { secret: readOrMakePreviewSecret(data), config: config.previews },
    log,
    requests_per_second: config.requests_per_second,
    dashboard: ready.dashboard,
    version: VERSION,
  });
  const listening = stack.use(await listenSomewhere(app, options, token));
  lock.update({ ...holder, url: listening.url });
  progress.step(`Sealwork ${VERSION} listens at ${listening.url}`);
  progress.line(
    token === null ? "without sign-in, on loopback only" : `the token is in ${join(data, "token")}`,
  );
  progress.line("`sealwork open` shows the dashboard");
  progress.done();
  log("info", "The orchestrator listens.", { url: listening.url, pid: process.pid });
  if (!stop.aborted) await once(stop, "abort");
  log("info", "The orchestrator stops; its sandboxes go on.");
}

async function listenSomewhere(
  app: Parameters<typeof listen>[0],
  { host, port, background }: ServeOptions,
  token: string | null,
): Promise<Listening> {
  try {
    return await listen(app, { host, port: port ?? DEFAULT_PORT, token });
  } catch (error) {
    const taken = error instanceof AppError && error.code === "conflict";
    if (!taken || !background || port !== null) throw error;
    return listen(app, { host, port: 0, token });
  }
}
