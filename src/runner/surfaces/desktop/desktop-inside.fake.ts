import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { RunnerEventBody } from "../../../contract/event.ts";
import { Blobs } from "../../blobs.ts";
import { ToolProcesses } from "../../process/tool-processes.ts";
import { perform } from "../../tools/desktop/perform.ts";
import type { SurfacePlace } from "../place.ts";
import { openDesktop } from "./desktop.ts";
import { connectedPrograms, DisplaySocket } from "./display-socket.ts";

const HOME = "/home/agent";
const IDLE_MS = 300;
const { signal: NEVER } = new AbortController();

/** Test support, in a sandbox of the desktop image: a desktop that is idle soon, and what a test does with it. */
async function place() {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] = value;
  const workspace = join(HOME, "workspace");
  await mkdir(workspace, { recursive: true });
  const events: RunnerEventBody[] = [];
  const heard = new EventTarget();
  const processes = new ToolProcesses({
    reaper_path: "/opt/sealwork/bin/reaper",
    folder: "/tmp",
    oomKills: async () => null,
  });
  const at: SurfacePlace = {
    job_id: "",
    home: HOME,
    workspace,
    scratch: "/tmp",
    env,
    processes,
    blobs: new Blobs({ folder: join(HOME, "blobs") }),
    async emit(body) {
      events.push(body);
      heard.dispatchEvent(new Event("event"));
    },
  };
  const display = new DisplaySocket((signal) => desktop.use(signal));
  await display.listen();
  const desktop = await openDesktop(
    at,
    { held_by: null, clipboard: true, watched: false },
    { display, idle_ms: IDLE_MS },
  );
  const run = async (program: string, ...args: string[]): Promise<string> => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] });
    const [output] = await Promise.all([text(child.stdout), once(child, "close")]);
    return output.trim();
  };
  return {
    desktop,
    run,
    said: () =>
      events.map(({ type, data }) => (type === "service.ended" ? `ended ${data.cause}` : type.slice(8))),
    events,
    async until(count: number): Promise<void> {
      while (events.length < count)
        await new Promise((resolve) => heard.addEventListener("event", resolve, { once: true }));
    },
  };
}

async function pidOf(program: string): Promise<number> {
  for (const name of await readdir("/proc")) {
    const found = await readFile(`/proc/${name}/comm`, "utf8").catch(() => "");
    if (found.trim() === program) return Number(name);
  }
  return 0;
}

const SCENARIOS: Record<string, () => Promise<unknown>> = {
  /** A program that looks for the display starts the desktop, keeps it, and lets it end. */
  async program() {
    const { run, said, until } = await place();
    const before = { said: said(), server: await pidOf("Xvnc") };
    const first = await run("xdpyinfo");
    await until(2);
    const ended = said();
    const terminal = spawn("lxterminal", { stdio: "ignore" });
    await until(3);
    while ((await connectedPrograms()) < 2) await nextTurn();
    await sleep(IDLE_MS * 4);
    const kept = said();
    terminal.kill();
    await until(4);
    const third = await run("xdpyinfo");
    return {
      before,
      first: first.includes("display:    :1"),
      ended,
      kept,
      all: said(),
      third: third.length > 0,
    };
  },
  /** The X server, then the window manager, is killed while somebody uses the desktop. */
  async killed() {
    const { desktop, said, until, events } = await place();
    const use = await desktop.use(NEVER);
    process.kill(await pidOf("Xvnc"), "SIGKILL");
    await until(3);
    const screen = await desktop.screen(NEVER);
    process.kill(await pidOf("jwm"), "SIGKILL");
    await until(5);
    const server = await pidOf("Xvnc");
    use[Symbol.dispose]();
    const messages = events.flatMap((event) => (event.type === "service.ended" ? [event.data.message] : []));
    await desktop[Symbol.asyncDispose]();
    const left = [await pidOf("Xvnc"), await pidOf("jwm")];
    return { said: said(), messages, png: screen.length > 1000, server: server > 0, left };
  },
  async clipboard() {
    const { desktop, run, events, until } = await place();
    const get = async () => [
      await run("vncconfig", "-get", "SendCutText"),
      await run("vncconfig", "-get", "AcceptCutText"),
    ];
    const control = { held_by: null, clipboard: false, watched: false };
    await desktop.control(control);
    const idle = await access("/tmp/.sealwork-desktop/vnc").then(
      () => true,
      () => false,
    );
    await desktop.connect(NEVER);
    const off = await get();
    await desktop.control({ ...control, clipboard: true });
    const on = await get();
    await desktop.control(control);
    const before = events.length;
    process.kill(await pidOf("Xvnc"), "SIGKILL");
    await until(before + 1);
    await desktop.connect(NEVER);
    return { idle, off, on, restarted: await get() };
  },
  /** What is typed into a terminal, and what a page in the browser gets of it. */
  async typing() {
    const { desktop } = await place();
    const { hands } = desktop;
    using look = await hands.screen.look(NEVER);
    const stage = { hands, client: look.client, signal: NEVER };
    const many = Array.from({ length: 60 }, (_, n) => String.fromCodePoint(0x4e00 + 7 * n)).join("");
    const wanted = `Hello, World! ~\`@#$%^&*()_+-={}[]|\\:;"'<>?/\né Ü ß 漢字 😀 Ж →\n${many}\nend`;
    spawn("lxterminal", ["-e", "sh -c 'cat > /tmp/typed'"], { stdio: "ignore" });
    while (
      !(await access("/tmp/typed").then(
        () => true,
        () => false,
      ))
    )
      await nextTurn();
    await perform({ action: "wait", ms: 500 }, stage);
    await perform({ action: "type", text: `${wanted}\n` }, stage);
    await perform({ action: "key", keys: "ctrl+d" }, stage);
    const terminal = (await readFile("/tmp/typed", "utf8")) === `${wanted}\n`;
    const page = `<title>0</title><textarea autofocus></textarea><script>
      const want = decodeURIComponent("${encodeURIComponent(wanted)}");
      const area = document.querySelector("textarea");
      area.oninput = () => { document.title = area.value === want ? "typed it all" : "has " + area.value.length; };
    </script>`;
    await perform({ action: "open", url: `data:text/html,${encodeURIComponent(page)}` }, stage);
    await perform({ action: "wait", ms: 500 }, stage);
    await perform({ action: "type", text: wanted }, stage);
    await perform({ action: "wait", ms: 500 }, stage);
    const { text: windows } = await perform({ action: "windows" }, stage);
    return { terminal, windows };
  },
};

const scenario = SCENARIOS[process.argv[2] ?? ""];
if (scenario === undefined) throw new Error("There is no such scenario.");
console.log(JSON.stringify(await scenario()));
process.exit(0);
