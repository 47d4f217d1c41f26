import assert from "node:assert/strict";
import { test } from "node:test";
import { AppError } from "../../contract/errors.ts";
import { listen, ownRegistry, TestProxy } from "./egress.fake.ts";
import { isListed, parseHost } from "./target.ts";

const PUBLIC = "93.184.215.14";

test("a host off the list is refused before it is resolved, with an event and an answer that says how to allow it", async () => {
  const proxy = new TestProxy({ egress: { policy: "allow", hosts: ["example.org"] } });
  const text = await proxy.say("CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n");
  assert.match(
    text,
    /^HTTP\/1\.1 403 The egress policy "allow" of this job does not list evil\.example:443\./,
  );
  assert.match(text, /sealwork run --allow evil\.example .*egress\.hosts.*POST \/jobs\/\{id\}\/egress/);
  assert.match(text, /^[\r\n\x20-\x7e]*$/);
  const [denial, ...others] = proxy.denied;
  assert.deepEqual([denial?.host, denial?.port, denial?.rule, others], ["evil.example", 443, "policy", []]);
  assert.deepEqual([proxy.resolved, proxy.asked], [[], ["evil.example:443"]]);
  assert.deepEqual(
    await proxy.say("GET http://evil.example/x HTTP/1.1\r\nHost: evil.example\r\n\r\n").then(status),
    403,
  );
  assert.deepEqual(proxy.denied.map(({ host, port, rule }) => [host, port, rule])[1], [
    "evil.example",
    80,
    "policy",
  ]);
});

test("the policy none lets nothing out and asks nobody", async () => {
  const proxy = new TestProxy({
    egress: { policy: "none", hosts: ["example.org"] },
    names: { "example.org": [PUBLIC] },
    registries: [ownRegistry(443)],
    opens: true,
  });
  for (const host of ["example.org:443", "registry.test:443"]) {
    const { status, rules } = await proxy.tunnel(host);
    assert.deepEqual([status, rules], [403, ["policy"]], host);
  }
  assert.deepEqual([proxy.asked, proxy.resolved], [[], []]);
});

test("an address in place of a name is refused under every policy, in every notation", async () => {
  const addresses = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0X7F.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "8.8.8.8",
    "134744072",
    "[::1]",
    "::1",
    "[::ffff:127.0.0.1]",
    "[fe80::1%eth0]",
    "[2606:4700::1111]",
    "[::]",
    "169.254.169.254",
    "0",
    "%31%32%37.0.0.1",
  ];
  for (const policy of ["allow", "packages", "internet"] as const) {
    const proxy = new TestProxy({ egress: { policy, hosts: ["example.org"] }, opens: true });
    for (const address of addresses) {
      const { status, rules } = await proxy.tunnel(`${address}:443`);
      const expected = address.startsWith("%") ? [400, ["name"]] : [403, ["address"]];
      assert.deepEqual([status, rules], expected, `${policy} ${address}`);
    }
    const plain = await proxy.say("GET http://127.1:8000/ HTTP/1.1\r\nHost: 127.1:8000\r\n\r\n");
    assert.equal(status(plain), 403);
    assert.deepEqual([proxy.asked, proxy.resolved], [[], []], "nobody is asked and nothing is resolved");
  }
});

test("a name is refused when any of its addresses is not public, or is the orchestrator's own", async () => {
  const bad = [
    "127.0.0.1",
    "10.0.0.5",
    "172.16.3.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "203.0.113.9",
    "240.0.0.1",
    "168.63.129.16",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "::ffff:8.8.8.8",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::1",
    "2001:0:1::1",
    "::127.0.0.1",
    "3fff::1",
    "5f00::1",
    "4000::1",
    "203.0.114.7",
    "not an address",
  ];
  for (const address of bad) {
    const proxy = new TestProxy({
      egress: { policy: "internet" },
      names: { "rebound.example": [PUBLIC, address] },
      own: ["203.0.114.7", "::1"],
    });
    const { status, rules } = await proxy.tunnel("rebound.example:80");
    assert.deepEqual([status, rules], [403, ["resolution"]], address);
  }
});

test("each connection goes to the address that was checked for it: a name that resolves differently the second time is refused then", async () => {
  await using server = await listen((socket) => socket.end("hello"));
  let times = 0;
  const proxy = new TestProxy({
    egress: { policy: "internet" },
    names: { "turning.example": async () => [times++ === 0 ? PUBLIC : "127.0.0.1"] },
  });
  const first = await proxy.tunnel(`turning.example:${server.port}`);
  assert.match(first.text, /^HTTP\/1\.1 200 .*\r\n\r\nhello$/s);
  const second = await proxy.tunnel(`turning.example:${server.port}`);
  assert.deepEqual([second.status, second.rules], [403, ["resolution"]]);
  assert.deepEqual(proxy.dialled, [PUBLIC]);
  assert.deepEqual(proxy.resolved, ["turning.example", "turning.example"], "once for each connection");
});

test("a registry of the machine's own may lie anywhere, on its own port only; one that an image names may not", async () => {
  await using server = await listen((socket) => socket.end("packages"));
  await using other = await listen((socket) => socket.end("secrets"));
  const names = { "registry.test": ["127.0.0.1"], "image.test": ["127.0.0.1"] };
  const registries = [ownRegistry(server.port), { host: "image.test", port: server.port, own: false }];
  for (const policy of ["packages", "internet"] as const) {
    const proxy = new TestProxy({ egress: { policy }, names, registries });
    assert.match((await proxy.tunnel(`REGISTRY.test.:${server.port}`)).text, /packages$/);
    const elsewhere = await proxy.tunnel(`registry.test:${other.port}`);
    assert.deepEqual(
      [elsewhere.status, elsewhere.rules],
      [403, [policy === "packages" ? "policy" : "resolution"]],
    );
    const image = await proxy.tunnel(`image.test:${server.port}`);
    assert.deepEqual([image.status, image.rules], [403, ["resolution"]]);
  }
  assert.equal(other.connections.length, 0);
  const unlisted = new TestProxy({ egress: { policy: "allow" }, names, registries });
  assert.deepEqual((await unlisted.tunnel(`registry.test:${server.port}`)).rules, ["policy"]);
});

test("Host unlike the target is refused, for tunnels and for plain requests", async () => {
  const proxy = new TestProxy({ egress: { policy: "internet" }, names: { "example.org": [] } });
  for (const host of [
    "other.example:443",
    "example.org:80",
    "example.org@other.example",
    "127.0.0.1",
    "",
    "sub.example.org",
  ]) {
    const { status, rules } = await proxy.tunnel("example.org:443", host);
    assert.deepEqual([status, rules], [403, ["host_mismatch"]], host);
  }
  for (const host of ["EXAMPLE.org.:443", "example.org"])
    assert.deepEqual((await proxy.tunnel("example.org:443", host)).rules, [], host);
  for (const fields of [
    "Host: other.example",
    "Host: example.org:81",
    "Host: example.org\r\nHost: other.example",
    "Host: example.org\r\nhost: example.org",
  ]) {
    const text = await proxy.say(`GET http://example.org/ HTTP/1.1\r\n${fields}\r\n\r\n`);
    assert.deepEqual(
      [status(text), proxy.denied.splice(0).map(({ rule }) => rule)],
      [403, ["host_mismatch"]],
      fields,
    );
  }
});

test("what is no name and no request is refused with an event", async () => {
  const proxy = new TestProxy({ egress: { policy: "internet" } });
  const names = [
    "-x.example:443",
    "a..example:443",
    `${"a".repeat(64)}.example:443`,
    `${"a.".repeat(130)}example:443`,
    "x.example:0",
    "x.example:65536",
    "user@x.example:443",
    "x.123:80",
    "a'b.example:1",
  ];
  for (const name of names) {
    const { status, rules } = await proxy.tunnel(name);
    assert.deepEqual([status, rules], [400, ["name"]], name);
  }
  const requests = [
    "CONNECT example.org HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "GET https://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "GET ftp://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "POST http://example.org/ HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST http://example.org/ HTTP/1.1\r\nHost: example.org\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST http://example.org/ HTTP/1.1\r\nHost: example.org\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\n folded: x\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello",
    `GET http://example.org/ HTTP/1.1\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
  ];
  for (const text of requests) {
    assert.equal(status(await proxy.say(text)), 400, text.slice(0, 60));
    assert.deepEqual(
      proxy.denied.splice(0).map(({ rule }) => rule),
      ["request"],
      text.slice(0, 60),
    );
  }
  assert.deepEqual(proxy.resolved, []);
});

test("a person's yes opens a host off the list, but never an address that is not public", async () => {
  await using server = await listen((socket) => socket.end());
  const proxy = new TestProxy({
    egress: { policy: "allow" },
    opens: true,
    names: { "inside.example": ["127.0.0.1"] },
  });
  const { status, rules } = await proxy.tunnel(`inside.example:${server.port}`);
  assert.deepEqual([status, rules, proxy.asked], [403, ["resolution"], [`inside.example:${server.port}`]]);
  assert.equal(server.connections.length, 0);
});

test("a host that nobody let through when asked is refused by another rule than one that nobody was asked about", async () => {
  const proxy = new TestProxy({ egress: { policy: "packages" }, opens: false });
  const { status, rules, text } = await proxy.tunnel("x.example:443");
  assert.deepEqual([status, rules, proxy.asked], [403, ["approval"], ["x.example:443"]]);
  assert.match(text, /nobody let it through when asked/);
});

test("a host that a job asks for once too often is refused, and no fault in the log", async () => {
  const opens = Promise.reject(new AppError({ code: "conflict", message: "The job asks too much." }));
  const proxy = new TestProxy({ egress: { policy: "packages" }, opens });
  const { status, rules, text } = await proxy.tunnel("x.example:443");
  assert.deepEqual([status, rules, proxy.logged], [403, ["approval"], []]);
  assert.match(text, /asks too much/);
});

test("lists have names, names below a name, and ports; capitals, other scripts and a last dot make no difference", () => {
  const listed = (host: string, hosts: string[], port = 443) => {
    const parsed = parseHost(host);
    assert(parsed !== null);
    return isListed({ ...parsed, port }, hosts);
  };
  assert.ok(listed("Example.ORG.", ["example.org"]) && listed("example.org", ["Example.Org"], 8443));
  assert.ok(listed("a.example.org", ["*.example.org"]) && listed("a.b.example.org", ["*.example.org"]));
  assert.ok(
    listed("example.org", ["example.org:8443"], 8443) && listed("a.example.org", ["*.example.org:80"], 80),
  );
  assert.ok(
    listed("b\u00fccher.example", ["xn--bcher-kva.example"]) && listed("\uff45xample.org", ["example.org"]),
  );
  for (const [host, entry] of [
    ["example.org", "*.example.org"],
    ["badexample.org", "*.example.org"],
    ["badexample.org", "example.org"],
    ["a.example.org", "example.org"],
    ["example.org.evil.test", "example.org"],
    ["example.org", "example.org:8443"],
  ] as const)
    assert.ok(!listed(host, [entry]), `${host} ${entry}`);
  // Digits and dots of other scripts are an address all the same.
  assert.equal(parseHost("\uff11\uff12\uff17\u3002\uff10.0.1")?.kind, "address");
});

test("a name that does not resolve and a host that does not answer are 502, which no rule refused", async () => {
  await using closed = await listen(() => undefined);
  const { port } = closed;
  await closed[Symbol.asyncDispose]();
  const proxy = new TestProxy({
    names: { "registry.test": ["127.0.0.1"] },
    registries: [ownRegistry(port), ownRegistry(443, "unknown.test")],
  });
  for (const target of [`registry.test:${port}`, "unknown.test:443"]) {
    const { status, rules } = await proxy.tunnel(target);
    assert.deepEqual([status, rules], [502, []], target);
  }
});

function status(text: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
}
