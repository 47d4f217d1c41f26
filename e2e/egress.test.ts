import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Event } from "../src/contract/event.ts";
import type { JobRequestInput } from "../src/contract/job.ts";
import { script, TestOrchestrator } from "./harness.ts";

let orchestrator: TestOrchestrator;
before(async () => {
  orchestrator = await TestOrchestrator.start();
});
after(() => orchestrator[Symbol.asyncDispose]());

type Denied = Extract<Event, { type: "egress.denied" }>["data"];

/** Runs a script to its end; what it printed, and what was refused. */
async function run(request: JobRequestInput): Promise<{ printed: string; denied: Denied[] }> {
  const job_id = await orchestrator.schedule(request);
  const job = await orchestrator.ended(job_id);
  const printed = await orchestrator.logs(job_id);
  assert.equal(job.status, "complete", printed);
  const events = await orchestrator.allEvents(job_id);
  return { printed, denied: events.flatMap((event) => (event.type === "egress.denied" ? [event.data] : [])) };
}

/** A program that sends each request to the proxy as it is, byte for byte, and prints the status that comes back. */
const SAY = `
import json, socket, sys
for name, request in json.loads(sys.stdin.read()):
    with socket.create_connection(("127.0.0.1", 24802)) as proxy:
        proxy.sendall(request.encode("latin1"))
        print(name, proxy.makefile("rb").readline().decode().split(" ")[1], flush=True)
`;

test("npm installs a package under the default policy, over TLS, with nothing to set up", async () => {
  const { printed, denied } = await run({
    prompt: script(
      "npm init -y >/dev/null && npm install --no-audit --no-fund is-odd@3 && node -p 'require(\"is-odd\")(7)'",
      `node -e 'fetch(process.argv[1]).then(async (a) => console.log(a.status, (await a.json()).name))' "$(npm config get registry)is-odd"`,
      `python3 -c 'import json, sys, urllib.request; print(json.load(urllib.request.urlopen(sys.argv[1]))["name"])' "$(npm config get registry)is-number"`,
      'curl -fsSo /tmp/curl "$(npm config get registry)is-odd" && wget -qO /tmp/wget "$(npm config get registry)is-odd" && cmp /tmp/curl /tmp/wget && echo same',
      // A registry has no repositories; that it says so shows that git reached it.
      '{ git ls-remote "$(npm config get registry)x.git" 2>&1 || true; } | grep -o "not found"',
    ),
  });
  assert.match(printed, /added 2 packages.*\ntrue\n200 is-odd\nis-number\nsame\nnot found\n$/s);
  assert.deepEqual(denied, []);
});

test("a host off the list is refused with an event, and the answer says how to allow it", async () => {
  const { printed, denied } = await run({
    prompt: script(
      "curl -sS https://unlisted.example/ 2>&1 || true",
      "curl -sS http://unlisted.example/ || true",
      "python3 -c 'import urllib.request; urllib.request.urlopen(\"https://unlisted.example/\")' 2>&1 || true",
      "git clone -q https://unlisted.example/x.git 2>&1 || true",
    ),
  });
  assert.match(printed, /CONNECT tunnel failed, response 403/);
  assert.match(printed, /"code":"egress_denied".*sealwork run --allow unlisted\.example/);
  assert.match(
    printed,
    /Tunnel connection failed: 403 The egress policy "packages" of this job does not list unlisted\.example:443/,
  );
  const refused = denied.map(({ host, port, rule, policy }) => `${host}:${port} ${rule} ${policy}`);
  assert.deepEqual([...new Set(refused)].sort(), [
    "unlisted.example:443 policy packages",
    "unlisted.example:80 policy packages",
  ]);
});

test("no trick gets a sandbox past its policy, and each leaves its event", async () => {
  const connect = (target: string, host = target) => `CONNECT ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const get = (target: string, host = target) => `GET http://${target}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  // Each has a port of its own, since repeats of one target are told together.
  const attacks: [string, string, string][] = [
    ["orchestrator", get(new URL(orchestrator.url).host), "address"],
    ["decimal", get("2130706433:81"), "address"],
    ["octal", connect("0177.0.0.1:82"), "address"],
    ["hexadecimal", connect("0x7f000001:83"), "address"],
    ["short", connect("127.1:84"), "address"],
    ["loopback-6", connect("[::1]:85"), "address"],
    ["mapped", connect("[::ffff:127.0.0.1]:86"), "address"],
    ["metadata", get("169.254.169.254"), "address"],
    ["bridge", connect("172.17.0.1:2375"), "address"],
    ["public", connect("8.8.8.8:443"), "address"],
    ["name-of-loopback", connect("localhost:87"), "resolution"],
    ["host-of-tunnel", connect("localhost:88", "other.example:88"), "host_mismatch"],
    ["host-of-request", get("localhost:89", "other.example:89"), "host_mismatch"],
    [
      "second-host",
      "GET http://localhost:90/ HTTP/1.1\r\nHost: localhost:90\r\nHost: x\r\n\r\n",
      "host_mismatch",
    ],
    ["no-name", connect("user@localhost:91"), "name"],
    ["no-proxy-request", "GET / HTTP/1.1\r\nHost: localhost:92\r\n\r\n", "request"],
  ];
  const requests = JSON.stringify(attacks.map(([name, request]) => [name, request]));
  const { printed, denied } = await run({
    prompt: script(`cat > /tmp/say.py <<'E'${SAY}E\npython3 /tmp/say.py <<'E'\n${requests}\nE`),
    egress: { policy: "internet" },
  });
  const answered = attacks.map(
    ([name, , rule]) => `${name} ${["name", "request"].includes(rule) ? 400 : 403}\n`,
  );
  assert.equal(printed, answered.join(""));
  const rules = attacks.map(([, , rule]) => rule).sort();
  assert.deepEqual(denied.map(({ rule }) => rule).sort(), rules, JSON.stringify(denied));
});

test("the policy none has neither proxy nor variables", async () => {
  const { printed, denied } = await run({
    prompt: script(
      "env | grep -ciE '_proxy|registry|CA_' || true",
      "curl -sS -x http://127.0.0.1:24802 http://example.org/ 2>&1 || true",
      "npm view is-odd version --fetch-retries=0 >/dev/null 2>&1 || echo no package",
    ),
    egress: { policy: "none" },
  });
  assert.match(printed, /^0\ncurl: \(7\) .*\nno package\n$/);
  assert.deepEqual(denied, []);
});

test("a host that is opened for a job at work lets its next connection through, and no other job's", async () => {
  const registry = (await run({ prompt: script("npm config get registry") })).printed.trim();
  const { hostname } = new URL(registry);
  const prompt = script(
    `curl -sS -o /dev/null -w '%{http_connect}\\n' ${registry}is-odd || true\necho waiting\nuntil curl -sS -o /dev/null -w '%{http_connect} %{http_code}\\n' ${registry}is-odd 2>/dev/null; do sleep 0.2; [ $SECONDS -lt 60 ] || exit 1; done`,
  );
  const job_id = await orchestrator.schedule({ prompt, egress: { policy: "allow" } });
  await orchestrator.untilPrinted(job_id, "waiting");
  const answer = await orchestrator.fetch(`/jobs/${job_id}/egress`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ host: hostname }),
  });
  assert.deepEqual(await answer.json(), { job_id, egress: { policy: "allow", hosts: [hostname] } });
  assert.equal((await orchestrator.ended(job_id)).status, "complete", await orchestrator.logs(job_id));
  assert.match(await orchestrator.logs(job_id), /403\nwaiting\n.*200 200\n$/s);
  const types = (await orchestrator.allEvents(job_id)).map(({ type }) => type);
  assert.ok(types.indexOf("egress.denied") < types.indexOf("egress.opened"));
  const { denied } = await run({
    prompt: script(`curl -sS ${registry}is-odd 2>&1 || true`),
    egress: { policy: "allow" },
  });
  assert.deepEqual(
    denied.map(({ host, rule }) => [host, rule]),
    [[hostname, "policy"]],
  );
});

test("a person is asked about a host off the list: a no refuses it, a yes lets the waiting connection through", async () => {
  const registry = (await run({ prompt: script("npm config get registry") })).printed.trim();
  const { hostname } = new URL(registry);
  const job_id = await orchestrator.schedule({
    prompt: script(
      "curl -sS http://off.example/ || true",
      `curl -sS -o /dev/null -w '%{http_connect} %{http_code}\\n' ${registry}is-odd`,
    ),
    egress: { policy: "allow" },
    approval: { policy: "risky" },
  });
  for (const [n, decision, host] of [
    [1, "deny", "off.example:80"],
    [2, "allow", `${hostname}:443`],
  ] as const) {
    const asked = await orchestrator.until(
      job_id,
      (event) => event.type === "approval.asked" && event.data.n === n,
    );
    assert.ok(asked.type === "approval.asked" && asked.data.title.includes(host), JSON.stringify(asked));
    const answer = await orchestrator.fetch(`/jobs/${job_id}/approvals/${n}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ decision }),
    });
    assert.equal(answer.status, 200, await answer.text());
  }
  assert.equal((await orchestrator.ended(job_id)).status, "complete", await orchestrator.logs(job_id));
  assert.match(
    await orchestrator.logs(job_id),
    /"egress_denied".*nobody let it through when asked.*\n200 200\n$/s,
  );
  const denied = (await orchestrator.allEvents(job_id)).filter(({ type }) => type === "egress.denied");
  assert.deepEqual(
    denied.map(({ data }) => data),
    [{ ...denied[0]?.data, host: "off.example", port: 80, rule: "approval", policy: "allow", count: 1 }],
  );
});

test("a registry that the machine's own settings name is reached wherever it lies, on its own port; large bodies arrive whole", async () => {
  const content = randomBytes(48 * 1024 * 1024);
  const sum = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  const registry = createServer(async (request, response) => {
    if (request.method === "GET") response.end(content);
    else response.end(sum(Buffer.concat(await Array.fromAsync<Buffer>(request))));
  });
  await new Promise<void>((listening) => registry.listen(0, "127.0.0.1", listening));
  const address = registry.address();
  assert(typeof address === "object" && address !== null);
  const folder = await mkdtemp(join(tmpdir(), "sealwork-npmrc-"));
  const npmrc = join(folder, "npmrc");
  await writeFile(npmrc, `@own:registry=http://localhost:${address.port}/\n`);
  try {
    await using own = await TestOrchestrator.start({ environment: { NPM_CONFIG_USERCONFIG: npmrc } });
    // Inside, localhost is the sandbox; only who asks the proxy for it means the machine.
    const curl = "curl -sS --noproxy '' -x $HTTP_PROXY";
    const job_id = await own.schedule({
      prompt: script(
        `${curl} http://localhost:${address.port}/big -o big && sha256sum < big | cut -c1-64`,
        `${curl} -p http://localhost:${address.port}/ -T big && echo`,
        `${curl} -o /dev/null -w '%{http_code}\\n' http://localhost:${new URL(own.url).port}/healthz`,
      ),
    });
    assert.equal((await own.ended(job_id)).status, "complete", await own.logs(job_id));
    assert.equal(await own.logs(job_id), `${sum(content)}\n${sum(content)}\n403\n`);
  } finally {
    registry.closeAllConnections();
    registry.close();
    await rm(folder, { recursive: true });
  }
});
