import { AppError } from "../contract/errors.ts";
import { LINK_PROTOCOL } from "../contract/link.ts";
import { prepareScripts } from "./agents/script/script-agent.ts";
import type { RunnerHandlers } from "./handlers.ts";
import { type JobPlace, RunnerJob } from "./job.ts";
import { prepareOutside } from "./outside.ts";
import { killAllOthers } from "./quiesce.ts";
import { listFolder, readPlace } from "./workspace/browse.ts";
import { packWorkspace } from "./workspace/pack.ts";
import type { DiskRoom } from "./workspace/receive-file.ts";
import { unpackInto } from "./workspace/unpack.ts";

/** A link stands when control and bulk have both been asked for this. */
const HELLOS_OF_A_LINK = 2;

/** What this runner answers over its link. It has one job at most; without one it only serves what lies on the volume. */
export function runnerHandlers(options: { place: JobPlace; epoch: string; version: string }): RunnerHandlers {
  const { place, epoch, version } = options;
  let job: RunnerJob | null = null;
  let hellos = 0;
  const room: DiskRoom = {
    take: async (bytes, by) => (await job?.disk?.take(bytes, by)) ?? true,
    give: (by) => job?.disk?.give(by),
  };
  // The orchestrator now stores that there is a link; what the first step needs gets ready meanwhile, and delays no answer.
  const prepare = (): void => {
    place.processes.prepare();
    prepareScripts();
    // What cannot be loaded is told to the job that needs it.
    prepareOutside().catch(() => undefined);
  };
  return {
    hello() {
      if (++hellos === HELLOS_OF_A_LINK) setImmediate(prepare);
      return {
        protocol: LINK_PROTOCOL,
        version,
        epoch,
        job_id: job?.start.job_id ?? null,
        secret: job?.start.secret ?? null,
      };
    },
    async start(start) {
      if (job === null) job = new RunnerJob(start, place);
      else if (job.start.job_id !== start.job_id || job.start.secret !== start.secret)
        throw new AppError({ code: "conflict", message: "This runner has another job." });
    },
    async stop({ cause }) {
      job?.stop(cause);
    },
    async message(message) {
      if (job === null) throw new AppError({ code: "conflict", message: "This runner has no job." });
      await job.message(message);
    },
    async quiesce() {
      // An agent that still runs must not start its next step when this one is killed.
      job?.stop("cancelled");
      await place.processes.killAll();
      await killAllOthers();
    },
    upload: (tar, signal) => unpackInto(place.workspace, tar, signal),
    pack: (signal) => packWorkspace(place.workspace, signal),
    list: (at) => listFolder(place, at),
    read: (at, range) => readPlace(place, at, range),
    async write(at, content, { only_new }) {
      const { receiveFile } = await import("./workspace/receive-file.ts");
      return receiveFile(place, at, content, { only_new, room });
    },
    async unpack(at, tar, signal) {
      const { unpackAt } = await import("./workspace/unpack.ts");
      return unpackAt(place, at, tar, { room, signal });
    },
    async change(change) {
      const { changeFiles } = await import("./workspace/change.ts");
      await changeFiles(place, change);
    },
    async archive(at, signal) {
      const { archivePlace } = await import("./workspace/archive.ts");
      return archivePlace(place, at, signal);
    },
    get surfaces() {
      if (job === null) throw new AppError({ code: "conflict", message: "This runner has no job." });
      return job.surfaces;
    },
    blob: (sha256) => place.blobs.read(sha256),
  };
}
