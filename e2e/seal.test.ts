import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run, script, TestOrchestrator } from "./harness.ts";

const MiB = 1024 * 1024;

let orchestrator: TestOrchestrator;
before(async () => {
  orchestrator = await TestOrchestrator.start();
});
after(() => orchestrator[Symbol.asyncDispose]());

/** What a Python program in a step finds out, as the JSON that it prints. `given` runs before it. */
async function probe(code: string, given: Parameters<TestOrchestrator["schedule"]>[0] = { prompt: "" }) {
  const prompt = `\`\`\`python\n${PROBE}\n${code}\nprint(json.dumps(found))\n\`\`\``;
  const job_id = await orchestrator.schedule({ ...given, prompt });
  const job = await orchestrator.ended(job_id);
  const printed = await orchestrator.logs(job_id);
  assert.equal(job.status, "complete", printed);
  return JSON.parse(printed);
}

/** `fails` names the error with which something is refused, or says that it was not. */
const PROBE = `
import ctypes, errno, json, os, socket, subprocess
found = {}
libc = ctypes.CDLL(None, use_errno=True)
def fails(work):
    try:
        work()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return "done"
def call(number, *args):
    ctypes.set_errno(0)
    return "done" if libc.syscall(number, *args) >= 0 else errno.errorcode[ctypes.get_errno()]
def open_for(path, flags):
    os.close(os.open(path, flags))
`;

test("a tool is an ordinary user who can become nobody else", async () => {
  const found = await probe(`
status = dict(line.rstrip().split(":\\t", 1) for line in open("/proc/self/status"))
for name in ["Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"]:
    found[name] = status[name].split()
subprocess.run(["cp", "/bin/sleep", "/tmp/own"], check=True)
os.chmod("/tmp/own", 0o4755)
found["setuid"] = fails(lambda: os.setuid(0))
found["chown"] = fails(lambda: os.chown("/tmp/own", 0, 0))
found["mount"] = call(165, b"none", b"/tmp", b"tmpfs", 0, None)
found["unshare_user"] = call(272, 0x10000000)
found["unshare_net"] = call(272, 0x40000000)
found["mknod"] = fails(lambda: os.mknod("/tmp/sda", 0o60666, os.makedev(8, 0)))
found["su"] = subprocess.run(["su", "-c", "id -u"], stdin=subprocess.DEVNULL, capture_output=True).returncode != 0
`);
  const none = ["0000000000000000"];
  const ids = ["1000", "1000", "1000", "1000"];
  assert.deepEqual([found.Uid, found.Gid], [ids, ids]);
  assert.ok(
    found.Groups.every((group: string) => group === "1000"),
    found.Groups,
  );
  for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
    assert.deepEqual(found[set], none, set);
  assert.deepEqual([found.NoNewPrivs, found.Seccomp], [["1"], ["2"]]);
  for (const name of ["setuid", "chown", "mount", "unshare_user", "unshare_net", "mknod"])
    assert.equal(found[name], "EPERM", name);
  assert.equal(found.su, true);
});

test("the image is read-only, and what may be written is small or the job's own volume", async () => {
  const found = await probe(`
for path in ["/new", "/opt/sealwork/new", "/opt/sealwork/runner.mjs", "/etc/passwd", "/usr/local/bin/new", "/run/sealwork/new"]:
    found[path] = fails(lambda: open_for(path, os.O_WRONLY | os.O_CREAT))
found["socket"] = fails(lambda: os.unlink("/run/sealwork/control"))
found["mounts"] = {}
for line in open("/proc/self/mountinfo"):
    left, right = line.split(" - ")
    found["mounts"][left.split()[4]] = [right.split()[0], left.split()[5].split(",")]
def made(folder):
    os.close(os.open(folder + "/probe", os.O_WRONLY | os.O_CREAT))
    os.unlink(folder + "/probe")
found["writable"] = [path for path in found["mounts"] if os.path.isdir(path) and fails(lambda: made(path)) == "done"]
found["size"] = {path: os.statvfs(path).f_blocks * os.statvfs(path).f_frsize for path in ["/tmp", "/run", "/dev/shm"]}
found["sys"] = fails(lambda: open_for("/proc/sys/vm/overcommit_memory", os.O_WRONLY))
found["sysrq"] = fails(lambda: open_for("/proc/sysrq-trigger", os.O_WRONLY))
`);
  for (const path of [
    "/new",
    "/opt/sealwork/new",
    "/opt/sealwork/runner.mjs",
    "/etc/passwd",
    "/usr/local/bin/new",
  ])
    assert.match(found[path], /^(EROFS|EACCES)$/, path);
  assert.equal(found["/run/sealwork/new"], "EROFS");
  assert.equal(found.socket, "EROFS");
  for (const path of ["/", "/run/sealwork"]) assert.ok(found.mounts[path][1].includes("ro"), path);
  const writable = ["/dev/mqueue", "/dev/shm", "/home/agent", "/run", "/tmp"];
  assert.deepEqual(found.writable.sort(), writable);
  for (const path of ["/tmp", "/run", "/dev/shm"]) {
    assert.equal(found.mounts[path][0], "tmpfs", path);
    for (const option of ["rw", "nosuid", "nodev"])
      assert.ok(found.mounts[path][1].includes(option), `${path} ${option}`);
  }
  assert.ok(found.size["/tmp"] <= 512 * MiB && found.size["/run"] <= 16 * MiB, JSON.stringify(found.size));
  assert.ok(found.size["/dev/shm"] <= 64 * MiB);
  assert.notEqual(found.sys, "done");
  assert.notEqual(found.sysrq, "done");
});

test("there is no network but loopback: no interface, no route, no name, and no socket of the host or its engine", async () => {
  const found = await probe(`
found["interfaces"] = [name for _, name in socket.if_nameindex()]
found["routes"] = open("/proc/net/route").read().strip().splitlines()[1:]
found["connect"] = {}
for address in ["1.1.1.1", "172.17.0.1", "10.0.0.1", "169.254.169.254"]:
    found["connect"][address] = fails(lambda: socket.create_connection((address, 80), timeout=3))
found["udp"] = fails(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("8.8.8.8", 53)))
def name():
    try:
        socket.getaddrinfo("example.org", 80)
    except socket.gaierror:
        raise OSError(errno.EHOSTUNREACH, "no name")
found["name"] = fails(name)
found["packet"] = fails(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
found["abstract"] = [line.split()[7] for line in open("/proc/net/unix") if line.split()[7:] and line.split()[7].startswith("@")]
found["loopback"] = fails(lambda: socket.create_server(("127.0.0.1", 0)))
found["sockets"] = subprocess.run("find / -xdev -type s 2>/dev/null; find /run /tmp /var /home -type s 2>/dev/null", shell=True, capture_output=True, text=True).stdout.split()
found["devices"] = [name for name in os.listdir("/dev") if os.path.exists("/dev/" + name) and not os.path.isdir("/dev/" + name)]
`);
  assert.deepEqual(found.interfaces, ["lo"]);
  assert.deepEqual(found.routes, []);
  for (const [address, how] of Object.entries(found.connect)) assert.equal(how, "ENETUNREACH", address);
  assert.equal(found.udp, "ENETUNREACH");
  assert.equal(found.name, "EHOSTUNREACH");
  assert.equal(found.packet, "EPERM");
  assert.equal(found.loopback, "done");
  assert.deepEqual(found.abstract, []);
  assert.deepEqual([...new Set(found.sockets)].sort(), [
    "/run/sealwork/bulk",
    "/run/sealwork/control",
    "/run/sealwork/live",
    "/run/sealwork/out",
  ]);
  const harmless = ["core", "fd", "full", "null", "ptmx", "random", "stderr", "stdin", "stdout", "tty"];
  assert.deepEqual(
    found.devices.filter((name: string) => ![...harmless, "urandom", "zero"].includes(name)),
    [],
  );
});

test("the runner can be neither read, traced, signalled into an inspector nor looked into", async () => {
  const found = await probe(`
for name in ["mem", "environ", "maps", "auxv", "io"]:
    found[name] = fails(lambda: open("/proc/1/" + name, "rb").read(1))
found["mem_write"] = fails(lambda: open_for("/proc/1/mem", os.O_WRONLY))
for name in ["fd", "map_files", "task/1/fd"]:
    found[name] = fails(lambda: os.listdir("/proc/1/" + name))
for name in ["exe", "cwd", "root"]:
    found[name] = fails(lambda: os.readlink("/proc/1/" + name))
PTRACE_ATTACH, PTRACE_SEIZE, SYS_ptrace, SYS_process_vm_readv, SYS_pidfd_open, SYS_pidfd_getfd = 16, 0x4206, 101, 310, 434, 438
found["attach"] = call(SYS_ptrace, PTRACE_ATTACH, 1, 0, 0)
found["seize"] = call(SYS_ptrace, PTRACE_SEIZE, 1, 0, 0)
class iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
page = ctypes.create_string_buffer(16)
here, there = iovec(ctypes.addressof(page), 16), iovec(0x400000, 16)
found["vm_read"] = call(SYS_process_vm_readv, 1, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
pidfd = libc.syscall(SYS_pidfd_open, 1, 0)
found["getfd"] = "EPERM" if pidfd < 0 else call(SYS_pidfd_getfd, pidfd, 0, 0)
os.kill(1, 10)
found["inspector"] = [fails(lambda: socket.create_connection(("127.0.0.1", 9229), timeout=0.2)) for _ in range(5)]
found["read_node"] = fails(lambda: open("/opt/sealwork/bin/node", "rb"))
found["arguments"] = open("/proc/1/cmdline").read().split("\\0")[:3]
`);
  for (const name of ["mem", "environ", "maps", "auxv", "io", "mem_write", "fd", "map_files", "task/1/fd"])
    assert.match(found[name], /^(EACCES|EPERM)$/, name);
  for (const name of ["exe", "cwd", "root", "read_node"]) assert.equal(found[name], "EACCES", name);
  for (const name of ["attach", "seize", "vm_read", "getfd"]) assert.equal(found[name], "EPERM", name);
  assert.deepEqual([...new Set(found.inspector)], ["ECONNREFUSED"]);
  assert.deepEqual(found.arguments, [
    "/opt/sealwork/bin/node",
    "--disable-sigusr1",
    "/opt/sealwork/runner.mjs",
  ]);
});

test("nothing of the orchestrator is in a sandbox: no variable, no token, no program of its own", async () => {
  const found = await probe(`
found["environment"] = dict(os.environ)
found["inherited"] = sorted(os.listdir("/proc/self/fd"))
words = subprocess.run("cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; find /run /tmp /home /opt/sealwork /etc -xdev -type f -size -300k -exec cat {} + 2>/dev/null", shell=True, capture_output=True).stdout
found["words"] = words.decode("latin1")
found["docker"] = [path for path in ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd", "/usr/bin/docker"] if os.path.exists(path)]
`);
  const names = Object.keys(found.environment);
  assert.deepEqual(
    names.filter((name) =>
      /^(SEALWORK|NODE_(?!USE_ENV_PROXY|EXTRA_CA_CERTS)|npm_|GEMINI|OPENAI|DOCKER)/.test(name),
    ),
    [],
  );
  assert.ok(!found.words.includes(orchestrator.token));
  assert.ok(!found.words.includes(orchestrator.data));
  assert.ok(!found.words.includes(orchestrator.url));
  assert.deepEqual(found.docker, []);
});

test("the limits of a job are those of its container, and the container has nothing that the seal forbids", async () => {
  const limits = { cpus: 0.5, memory_bytes: 256 * MiB, pids: 77 };
  const job_id = await orchestrator.schedule({ prompt: script("echo up; sleep 600"), limits });
  await orchestrator.untilPrinted(job_id, "up");
  const [container = ""] = await orchestrator.containers(job_id);
  const { stdout } = await run("docker", ["inspect", container]);
  await orchestrator.cancel(job_id);
  const [{ HostConfig, Config, Mounts, NetworkSettings }] = JSON.parse(stdout);
  assert.equal(HostConfig.Memory, limits.memory_bytes);
  assert.equal(HostConfig.MemorySwap, limits.memory_bytes);
  assert.equal(HostConfig.NanoCpus, 0.5e9);
  assert.equal(HostConfig.PidsLimit, limits.pids);
  assert.equal(HostConfig.NetworkMode, "none");
  assert.equal(HostConfig.ReadonlyRootfs, true);
  assert.equal(HostConfig.Privileged, false);
  assert.deepEqual(HostConfig.CapDrop, ["ALL"]);
  assert.equal(HostConfig.CapAdd, null);
  assert.deepEqual(HostConfig.SecurityOpt, ["no-new-privileges"]);
  assert.equal(HostConfig.LogConfig.Type, "none");
  assert.notEqual(HostConfig.PidMode, "host");
  assert.deepEqual(Object.keys(NetworkSettings.Networks), ["none"]);
  assert.equal(Config.User, "1000:1000");
  assert.deepEqual(
    Mounts.map((mount: { Type: string; Destination: string; RW: boolean }) => [
      mount.Type,
      mount.Destination,
      mount.RW,
    ]).sort(),
    [
      ["bind", "/run/sealwork", false],
      ["volume", "/home/agent", true],
    ],
  );
  assert.equal((await orchestrator.ended(job_id)).status, "cancelled");
});

test("a job's env reaches its steps and is nowhere else that anybody looks", async () => {
  const secret = `s3cret-${crypto.randomUUID()}`;
  const job_id = await orchestrator.schedule({
    prompt: [
      '```sh\nprintf %s "$SECRET" | sha256sum | cut -c1-64\n```',
      "```python\nimport os, hashlib\nprint(hashlib.sha256(os.environ['SECRET'].encode()).hexdigest())\n```",
      "```js\nconsole.log(process.env.SECRET.length)\n```",
      "```sh\necho waiting; until [ -e ~/workspace/go ]; do sleep 0.1; [ $SECONDS -lt 20 ] || break; done\n```",
    ].join("\n\n"),
    env: { SECRET: secret },
  });
  await orchestrator.untilPrinted(job_id, "waiting");
  const [container = ""] = await orchestrator.containers(job_id);
  const inspected = (await run("docker", ["inspect", container])).stdout;
  const seen_while_running = JSON.stringify([
    await orchestrator.job(job_id),
    await orchestrator.jobs(),
    await orchestrator.allEvents(job_id),
  ]);
  await orchestrator.cancel(job_id);
  await orchestrator.ended(job_id);

  const printed = await orchestrator.logs(job_id);
  const sum = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(secret))).toString("hex");
  assert.deepEqual(printed.split("\n").slice(0, 3), [sum, sum, String(secret.length)]);

  assert.ok(!inspected.includes(secret), "docker inspect shows it");
  assert.ok(!seen_while_running.includes(secret), "the API shows it");
  const zip = await orchestrator.zip(job_id);
  for (const [name, { content }] of zip) assert.ok(!content.includes(secret), `${name} in the ZIP holds it`);
  const seen_afterwards = JSON.stringify([
    await orchestrator.job(job_id),
    await orchestrator.jobs(),
    await orchestrator.allEvents(job_id),
  ]);
  assert.ok(!seen_afterwards.includes(secret), "the API shows it");
  assert.ok(
    orchestrator.logged.includes("listens") && !orchestrator.logged.includes(secret),
    "the log has it",
  );
  for (const file of await readdir(join(orchestrator.data, "jobs"), { recursive: true, withFileTypes: true }))
    if (file.isFile()) {
      const content = await readFile(join(file.parentPath, file.name));
      assert.ok(!content.includes(secret), `${file.name} holds it`);
    }
});
