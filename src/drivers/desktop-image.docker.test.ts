import assert from "node:assert/strict";
import { before, test } from "node:test";
import { DESKTOP_BUILD_TIMEOUT_MS, desktopImage, runHardened } from "./docker-images.fake.ts";

/** Nothing in here takes this long on any machine that can run it. */
const PATIENCE_MS = 90_000;
let image: string;

before(
  async () => {
    image = await desktopImage();
  },
  { timeout: DESKTOP_BUILD_TIMEOUT_MS },
);

/** Runs inside the container: a desktop, and what asks about it. What the script prints is one JSON value. */
const PRELUDE = `
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { statSync } from "node:fs";
const PATIENCE_MS = ${PATIENCE_MS};
const DESKTOP = "/opt/sealwork/desktop";
const SOCKET = "/tmp/vnc";
const run = (program, ...args) => execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
const start = (program, ...args) => spawn(program, args, { stdio: "ignore" });
const shell = (line) => run("sh", "-c", line);
async function until(question) {
  for (;;) {
    let answer = null;
    try { answer = await question(); } catch { /* Not yet. */ }
    if (answer) return answer;
    await new Promise((next) => setImmediate(next));
  }
}
const window = (pattern) => until(() => run("wmctrl", "-lx").split("\\n").find((line) => pattern.test(line)));
const colours = (...crop) => Number(run("import", "-window", "root", ...crop, "-format", "%k", "info:"));
async function serveX() {
  const server = spawn(DESKTOP + "/x-server", [SOCKET], { stdio: ["ignore", "pipe", "ignore"] });
  let ready = "";
  while (!ready.endsWith("\\n")) ready += String((await once(server.stdout, "data"))[0]);
  return { server, ready };
}
const finished = (program, ...args) => new Promise((resolve, reject) =>
  execFile(program, args, (error, stdout) => error === null ? resolve(stdout) : reject(error)));
// A container whose test has given up goes too.
setTimeout(() => end("It took too long."), PATIENCE_MS).unref();
const end = (value) => { console.log(JSON.stringify(value)); process.exit(0); };
`;

async function inside(script: string): Promise<unknown> {
  const command = ["/usr/local/bin/node", "--input-type=module", "-"];
  const output = await runHardened(image, command, { input: PRELUDE + script, memory: "2g", home: true });
  return JSON.parse(output);
}

test("the desktop comes up as the sandbox's user on a read-only root, and every program opens its window", async () => {
  const seen = await inside(`
    const { ready } = await serveX();
    const session = start(DESKTOP + "/session");
    await until(() => colours() > 100);
    start("pcmanfm", "/home/agent/workspace");
    start("x-terminal-emulator");
    start("mousepad");
    run(DESKTOP + "/browser", "data:text/html,<title>A page</title>");
    const windows = [];
    for (const pattern of [/Pcmanfm/, /terminal/i, /Mousepad/, /Chromium.* A page/]) windows.push(await window(pattern));
    end({ ready, uid: process.getuid(), windows: windows.length, session: session.exitCode });`);
  assert.deepEqual(seen, { ready: "1\n", uid: 1000, windows: 4, session: null });
});

test("the X server speaks VNC on a socket that is its owner's alone, and on no port", async () => {
  const seen = await inside(`
    await serveX();
    const client = connect(SOCKET);
    const [greeting] = await once(client, "data");
    end({ greeting: String(greeting), mode: (statSync(SOCKET).mode & 0o777).toString(8), ports: run("ss", "-Hltn") });`);
  assert.deepEqual(seen, { greeting: "RFB 003.008\n", mode: "600", ports: "" });
});

test("an X server that was killed leaves nothing that keeps the next one from starting", async () => {
  const seen = await inside(`
    const { server } = await serveX();
    server.kill("SIGKILL");
    await once(server, "exit");
    const { ready } = await serveX();
    const [greeting] = await once(connect(SOCKET), "data");
    end({ ready, greeting: String(greeting) });`);
  assert.deepEqual(seen, { ready: "1\n", greeting: "RFB 003.008\n" });
});

test("wallpaper and panel follow the size of the screen", async () => {
  const seen = await inside(`
    await serveX();
    start(DESKTOP + "/session");
    await until(() => colours() > 100);
    run("xrandr", "--output", "VNC-0", "--mode", "1920x1080");
    await until(() => colours("-crop", "400x600+1500+100") > 100);
    // The clock stands at the right end of the panel.
    await until(() => colours("-crop", "150x30+1750+1045") > 10);
    end(run("import", "-window", "root", "-format", "%wx%h", "info:"));`);
  assert.equal(seen, "1920x1080");
});

test("a link opens in the browser without waiting for it: a page on the loopback, whatever proxy there is", async () => {
  const seen = await inside(`
    const site = createServer((request, response) => {
      response.setHeader("content-type", "text/html");
      response.end("<title>Served inside " + request.url + "</title>");
    }).listen(0, "127.0.0.1");
    const asked = [];
    const proxy = createServer((request, response) => {
      asked.push(request.url);
      response.setHeader("content-type", "text/html");
      response.end("<title>Through the proxy</title>");
    }).on("connect", (request, socket) => {
      asked.push(request.url);
      socket.end("HTTP/1.1 403 Forbidden\\r\\n\\r\\n");
    }).listen(0, "127.0.0.1");
    await Promise.all([once(site, "listening"), once(proxy, "listening")]);
    for (const name of ["http_proxy", "https_proxy"]) process.env[name] = "http://127.0.0.1:" + proxy.address().port;
    await serveX();
    start(DESKTOP + "/session");
    run("xdg-open", "http://127.0.0.1:" + site.address().port + "/one");
    await window(/Served inside \\/one - Chromium/);
    run("python3", "-m", "webbrowser", "http://p1.localhost:" + site.address().port + "/two");
    await window(/Served inside \\/two - Chromium/);
    run(DESKTOP + "/browser", "http://example.com/three");
    await window(/Through the proxy - Chromium/);
    const dom = await finished("chromium", "--headless", "--dump-dom", "http://127.0.0.1:" + site.address().port + "/four");
    end({ asked: asked.filter((url) => !url.includes("favicon")), four: dom.includes("Served inside /four") });`);
  assert.deepEqual(seen, { asked: ["http://example.com/three"], four: true });
});

test("there is a font for the world's scripts, and a picture for an emoji", async () => {
  const languages = [
    "en",
    "ru",
    "el",
    "ar",
    "he",
    "hi",
    "th",
    "ja",
    "ko",
    "zh-cn",
    "zh-tw",
    "bn",
    "ta",
    "ka",
    "hy",
    "am",
  ];
  const seen = await inside(`
    const languages = ${JSON.stringify(languages)};
    const lacking = languages.filter((language) => !run("fc-list", ":lang=" + language + ":family=" + run("fc-match", "-f", "%{family[0]}", "sans:lang=" + language)));
    end({ lacking, emoji: run("fc-match", "-f", "%{family[0]}", "emoji"), terminal: run("fc-match", "-f", "%{family[0]}", "monospace") });`);
  assert.deepEqual(seen, { lacking: [], emoji: "Noto Color Emoji", terminal: "JetBrains Mono NL" });
});

test("Jupyter Lab is there, with the kernel that the agents' cells run in, terminals and the client of its sockets", async () => {
  const seen = await inside(`
    const kernels = JSON.parse(run("jupyter", "kernelspec", "list", "--json")).kernelspecs;
    end({
      lab: run("jupyter-lab", "--version"),
      kernel: kernels.python3.spec.argv[0],
      modules: run("python3", "-c", "import terminado, websocket; print('both')"),
      page: shell("ls /usr/share/jupyter/lab/static/main.*.js | wc -l"),
    });`);
  assert.deepEqual(seen, { lab: "4.0.11", kernel: "/usr/bin/python3", modules: "both", page: "1" });
});
