import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket, { createWebSocketStream } from "ws";
import { run, type TestOrchestrator } from "../e2e/harness.ts";
import { RfbViewer } from "../e2e/rfb-viewer.ts";
import { type Summary, settle, summarize } from "./statistics.ts";

const MB = 1e6;
/** Frames are counted for this long at a time, by turns. */
const COUNT_MS = 4_000;
const QUIET_MS = 5_000;
/** So many pictures are none of a window that opens. */
const PLAYS_FRAMES = 60;
const SOCKET_INSIDE = "/tmp/.sealwork-desktop/vnc";
const VIEWER_SOURCE = new URL("../e2e/rfb-viewer.ts", import.meta.url);

/** Times in ms, frames a second, memory in MB (10^6 bytes). */
export type DesktopFigures = {
  /** From the request to the first picture: of a desktop that this starts, and of one that runs. */
  first: Summary;
  again: Summary;
  /** From `docker run` of the same image to the first picture over a socket in a mounted folder. */
  docker_run: Summary;
  frames: { path: Summary; inside: Summary };
  /** What a sandbox uses more with its desktop than without, with the browser that plays the animation besides, and with Jupyter Lab alone. */
  memory: { desktop: number; browser: number; jupyter: number };
};

/** A picture that changes all over, thirty times a second, in the sandbox's browser. */
const ANIMATION = `
cat > index.html <<'END'
<!doctype html><title>animation</title><style>body{margin:0;background:#000}canvas{width:960px;height:540px}</style>
<canvas width="320" height="180"></canvas><script>
const context = document.querySelector("canvas").getContext("2d");
const image = context.createImageData(320, 180);
setInterval(() => {
  const t = performance.now() / 300;
  for (let y = 0, at = 0; y < 180; y++) for (let x = 0; x < 320; x++, at += 4) {
    const v = Math.sin(x / 19 + t) + Math.sin(y / 13 - t) + Math.sin((x + y) / 23 + t / 2);
    image.data[at] = 128 + 42 * v; image.data[at + 1] = 128 + 40 * Math.sin(v * 2); image.data[at + 2] = 128 - 42 * v; image.data[at + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}, 33);
</script>
END
python3 -m http.server 8000 --bind 127.0.0.1 > /dev/null 2>&1 &
echo ready
until [ -e play ]; do sleep 0.1; done
/opt/sealwork/desktop/browser http://127.0.0.1:8000/
echo plays
sleep 1000
`;

export async function measureDesktop(orchestrator: TestOrchestrator, runs: number): Promise<DesktopFigures> {
  const first: number[] = [];
  const again: number[] = [];
  const docker_run: number[] = [];
  const jobs: string[] = [];
  let image = "";
  for (let n = 0; n < runs; n++) {
    const job_id = await orchestrator.schedule({
      prompt: `\`\`\`sh\n${ANIMATION}\n\`\`\``,
      template: "desktop",
    });
    jobs.push(job_id);
    await orchestrator.untilPrinted(job_id, "ready");
    image = await imageOf(orchestrator, job_id);
    await settle();
    first.push(await firstPicture(orchestrator, job_id));
    again.push(await firstPicture(orchestrator, job_id));
    if (n < runs - 1) await orchestrator.cancel(job_id);
    await settle();
    docker_run.push(await firstPictureOfDocker(image));
  }
  const job_id = jobs.at(-1) ?? "";
  const figures = await playing(orchestrator, job_id, runs);
  await orchestrator.cancel(job_id);
  return {
    first: summarize(first),
    again: summarize(again),
    docker_run: summarize(docker_run),
    ...figures,
  };
}

async function playing(
  orchestrator: TestOrchestrator,
  job_id: string,
  runs: number,
): Promise<Pick<DesktopFigures, "frames" | "memory">> {
  const container = await containerOf(orchestrator, job_id);
  const path: number[] = [];
  const inside: number[] = [];
  await sleep(QUIET_MS);
  const idle = await usedMemory(container);
  await run("docker", ["exec", container, "touch", "/home/agent/workspace/play"]);
  await orchestrator.untilPrinted(job_id, "plays");
  await untilItPlays(orchestrator, job_id);
  await sleep(QUIET_MS);
  const busy = await usedMemory(container);
  for (let n = 0; n < runs; n++) {
    inside.push(await framesInside(container));
    path.push(await framesOfPath(orchestrator, job_id));
  }
  const { bare, jupyter } = await withoutDesktop(orchestrator);
  return {
    frames: { path: summarize(path), inside: summarize(inside) },
    memory: { desktop: idle - bare, browser: busy - idle, jupyter: jupyter - bare },
  };
}

/** A sandbox of the same image whose desktop nobody asked for, and the same once Jupyter Lab has answered. */
async function withoutDesktop(orchestrator: TestOrchestrator): Promise<{ bare: number; jupyter: number }> {
  const prompt =
    "```sh\npython3 -m http.server 8000 --bind 127.0.0.1 > /dev/null 2>&1 &\necho ready; sleep 1000\n```";
  const job_id = await orchestrator.schedule({ prompt, template: "desktop" });
  await orchestrator.untilPrinted(job_id, "ready");
  const container = await containerOf(orchestrator, job_id);
  await sleep(QUIET_MS);
  const bare = await usedMemory(container);
  const answer = await orchestrator.fetch(`/jobs/${job_id}/jupyter/api/status`);
  if (!answer.ok) throw new Error(`Jupyter Lab answered ${answer.status}`);
  await sleep(QUIET_MS);
  const jupyter = await usedMemory(container);
  await orchestrator.cancel(job_id);
  return { bare, jupyter };
}

function dial(orchestrator: TestOrchestrator, job_id: string): WebSocket {
  const url = `${orchestrator.url.replace("http", "ws")}/jobs/${job_id}/desktop`;
  return new WebSocket(url, { headers: { authorization: `Bearer ${orchestrator.token}` } });
}

async function firstPicture(orchestrator: TestOrchestrator, job_id: string): Promise<number> {
  const begun = performance.now();
  using _viewer = await RfbViewer.connect(createWebSocketStream(dial(orchestrator, job_id)));
  return performance.now() - begun;
}

async function firstPictureOfDocker(image: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "sw-bench-"));
  await chmod(folder, 0o777);
  const begun = performance.now();
  const shell =
    "/opt/sealwork/desktop/x-server /vnc/socket & until [ -S /tmp/.X11-unix/X1 ]; do sleep 0.01; done; /opt/sealwork/desktop/session";
  const args = [
    "run",
    "--rm",
    "--network",
    "none",
    "-v",
    `${folder}:/vnc`,
    "--entrypoint",
    "sh",
    image,
    "-c",
  ];
  const name = `sw-bench-${process.pid}`;
  const child = spawn("docker", [...args.slice(0, 2), "--name", name, ...args.slice(2), shell], {
    stdio: "ignore",
  });
  const ended = once(child, "close");
  try {
    for (;;) {
      // A folder has no event for a socket that takes connections.
      const socket = connect({ path: join(folder, "socket") });
      const connected = await once(socket, "connect").then(
        () => true,
        () => false,
      );
      if (connected) {
        using _viewer = await RfbViewer.connect(socket);
        return performance.now() - begun;
      }
      if (child.exitCode !== null) throw new Error(`docker run exited with ${child.exitCode}`);
      await sleep(5);
    }
  } finally {
    await run("docker", ["rm", "-f", name]);
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
}

/** A browser takes its time to start; what it shows then changes all the time. */
async function untilItPlays(orchestrator: TestOrchestrator, job_id: string): Promise<void> {
  using viewer = await RfbViewer.connect(createWebSocketStream(dial(orchestrator, job_id)), {
    keeps: "frames",
  });
  await viewer.until(() => viewer.frames > PLAYS_FRAMES);
}

async function framesOfPath(orchestrator: TestOrchestrator, job_id: string): Promise<number> {
  using viewer = await RfbViewer.connect(createWebSocketStream(dial(orchestrator, job_id)), {
    keeps: "frames",
  });
  const begun = performance.now();
  const { frames } = viewer;
  await sleep(COUNT_MS);
  if (viewer.closed) throw new Error("the viewer lost its desktop", { cause: viewer.failure });
  return (viewer.frames - frames) / ((performance.now() - begun) / 1000);
}

/** The same viewer inside the sandbox, on the same socket. */
async function framesInside(container: string): Promise<number> {
  const count = `
    import { connect } from "node:net";
    using viewer = await RfbViewer.connect(connect(${JSON.stringify(SOCKET_INSIDE)}), { keeps: "frames" });
    const begun = performance.now();
    const { frames } = viewer;
    await new Promise((next) => setTimeout(next, ${COUNT_MS}));
    if (viewer.closed) throw viewer.failure;
    console.log((viewer.frames - frames) / ((performance.now() - begun) / 1000));
    process.exit();`;
  const args = ["exec", "-i", container, "node", "--input-type=module-typescript", "-"];
  const child = spawn("docker", args, { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end((await readFile(VIEWER_SOURCE, "utf8")) + count);
  const printed = Buffer.concat(await child.stdout.toArray()).toString();
  const frames = Number(printed.trim());
  if (printed.trim() === "" || Number.isNaN(frames)) throw new Error(`no frames were counted: ${printed}`);
  return frames;
}

async function containerOf(orchestrator: TestOrchestrator, job_id: string): Promise<string> {
  const [container] = await orchestrator.containers(job_id);
  if (container === undefined) throw new Error(`job ${job_id} has no container`);
  return container;
}

async function imageOf(orchestrator: TestOrchestrator, job_id: string): Promise<string> {
  const container = await containerOf(orchestrator, job_id);
  return (await run("docker", ["inspect", "--format", "{{.Config.Image}}", container])).stdout.trim();
}

/** What the kernel counts for a container, less the cached files that it would give back at once, in MB. */
async function usedMemory(container: string): Promise<number> {
  const read =
    "cat /sys/fs/cgroup/memory.current /sys/fs/cgroup/memory.stat 2> /dev/null || cat /sys/fs/cgroup/memory/memory.usage_in_bytes /sys/fs/cgroup/memory/memory.stat";
  const { stdout } = await run("docker", ["exec", container, "sh", "-c", read]);
  const [usage = "0"] = stdout.split("\n");
  const cached = /^(?:total_)?inactive_file (\d+)$/m.exec(stdout)?.[1] ?? "0";
  return (Number(usage) - Number(cached)) / MB;
}
