import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { rootCertificates } from "node:tls";
import Docker from "dockerode";
import { extraCertificates } from "./machine-certificates.ts";
import { combine, type MachineNetwork, readMachineNetwork, withoutCredentials } from "./machine-network.ts";
import { type PackageSettings, parsePipSettings, readNpmSettings } from "./package-settings.ts";

const never = new AbortController().signal;
/** Made for this test; trusted by nobody. */
const OWN_CA = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUfVzi00u2M9lTXNmZ/QqL6nbTvOswCgYIKoZIzj0EAwIw
IjEgMB4GA1UEAwwXU2VhbHdvcmsgdGVzdCBhdXRob3JpdHkwIBcNMjYxMTI0MTUy
MjUzWhgPMjEyNjEwMzExNTIyNTNaMCIxIDAeBgNVBAMMF1NlYWx3b3JrIHRlc3Qg
YXV0aG9yaXR5MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEL8G0hV0IUNJBrplb
UH6vtNnOqlfwgU05wO7wGQUjyJ7vSoOPT3spQ4u+Sberi4R+4bZHwggj/W0rb/8Z
YDE9zKNTMFEwHQYDVR0OBBYEFDEcKLijjhMvKej+Oes64EO7D2MeMB8GA1UdIwQY
MBaAFDEcKLijjhMvKej+Oes64EO7D2MeMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI
zj0EAwIDSAAwRQIhAJ+jPJE2aAxua2PpHzA7uauIc1Kot+5Ip+VsPyQFFRU1AiAA
r8sOsluvTPZrZJNY++crfJGZ7BJ2bo2QWXSujVd92w==
-----END CERTIFICATE-----
`;

async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "sealwork-network-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

const settings = (given: Partial<PackageSettings>): PackageSettings => ({
  registry: null,
  registries: [],
  certificates: [],
  files: [],
  ...given,
});

test("pip's settings are read as pip prints them: lists, quotes, and the environment before all files", () => {
  const read = parsePipSettings(
    [
      "For variant 'global', will try loading '/etc/pip.conf'",
      "For variant 'user', will try loading '/home/x/.config/pip/pip.conf'",
      ":env:.cert='/etc/own.pem'",
      "global.index-url='https://global.test/simple'",
      "install.index-url='https://user:p%27w@install.test/simple'",
      "global.extra-index-url='\\nhttps://one.test/simple\\nfile:///opt/wheels http://two.test:8080/simple'",
      "global.find-links='/opt/wheels'",
      'global.timeout="15"',
    ].join("\n"),
  );
  assert.deepEqual(read, {
    registry: "https://user:p%27w@install.test/simple",
    registries: [
      "https://user:p%27w@install.test/simple",
      "https://one.test/simple",
      "http://two.test:8080/simple",
    ],
    certificates: ["/etc/own.pem"],
    files: ["/etc/pip.conf", "/home/x/.config/pip/pip.conf"],
  });
});

test("registries have their ports and no credentials; an image's own stand in only where the machine names none", () => {
  const npm = settings({
    registry: "https://npm.test/",
    registries: ["https://npm.test/", "http://me:secret@scoped.test:4873/x/"],
  });
  const defaults = {
    npm: ["https://image-npm.test"],
    pip: ["https://image-pip.test/simple", "https://files.test"],
  };
  const apt = ["http://debian.test/debian/"];
  const own = [
    { host: "npm.test", port: 443, own: true },
    { host: "scoped.test", port: 4873, own: true },
    { host: "debian.test", port: 80, own: true },
  ];
  const image_pip = [
    { host: "image-pip.test", port: 443, own: false },
    { host: "files.test", port: 443, own: false },
  ];
  assert.deepEqual(combine({ npm, pip: settings({}), apt, defaults }), [...own, ...image_pip]);
  const other = settings({ registry: "https://pip.test/simple", registries: ["https://pip.test/simple"] });
  const pip_own = { host: "pip.test", port: 443, own: true };
  assert.deepEqual(combine({ npm, pip: other, apt: [], defaults }), [...own.slice(0, 2), pip_own]);
  const same = settings({ registry: defaults.pip[0] ?? null, registries: defaults.pip.slice(0, 1) });
  const [index, files] = image_pip;
  assert.deepEqual(combine({ npm: null, pip: same, apt: [], defaults }), [
    { ...index, own: true },
    { host: "image-npm.test", port: 443, own: false },
    files,
  ]);
  assert.equal(withoutCredentials("https://me:secret@npm.test:8443/a/?b#c"), "https://npm.test:8443/a/");
  assert.equal(withoutCredentials("file:///opt/simple"), null);
});

test("npm's settings are read from npm itself, scopes and certificates included, warnings left out", async () => {
  await using folder = await temporaryFolder();
  const npmrc = join(folder.path, "npmrc");
  await writeFile(
    npmrc,
    "registry=http://127.0.0.1:4873/\n@mine:registry=https://mine.test/\ncafile=/own.pem\n",
  );
  // An npm that runs these tests hands its own settings down, and they would win.
  const handed_down = Object.keys(process.env).filter((name) => /^npm_config_/i.test(name));
  const plain = ["env", ...handed_down.flatMap((name) => ["-u", name])];
  const { files, ...read } = await readNpmSettings([...plain, "npm", "--userconfig", npmrc], never);
  assert.deepEqual(read, {
    registry: "http://127.0.0.1:4873/",
    registries: ["http://127.0.0.1:4873/", "https://mine.test/"],
    certificates: ["/own.pem"],
  });
  assert.ok(files.includes(npmrc));
});

test("only certificates beyond the usual ones are passed on, each once, and never a key", async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, "bundle.pem");
  const key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
  await writeFile(file, [...rootCertificates.slice(0, 3), key, OWN_CA, OWN_CA, "rubbish"].join("\n"));
  const pem = await extraCertificates([file, OWN_CA, join(folder.path, "missing.pem"), folder.path]);
  assert.equal(pem, OWN_CA);
  assert.equal(await extraCertificates([rootCertificates.join("\n")]), null);
});

test("settings are read once, again when one of their files changes, and what is missing stops nothing", async () => {
  await using folder = await temporaryFolder();
  const npm = join(folder.path, "npm");
  const calls = join(folder.path, "calls");
  const npmrc = join(folder.path, "npmrc");
  await writeFile(npmrc, "one");
  await writeFile(
    npm,
    `#!/bin/sh\necho warning >&2\necho call >> ${calls}\nprintf '{"registry": "https://%s.test/", "userconfig": "${npmrc}"}' "$(cat ${npmrc})"\n`,
  );
  await chmod(npm, 0o755);
  // An engine that knows no image.
  const engine = createServer((_, response) => response.writeHead(404).end("{}"));
  await new Promise<void>((listening) => engine.listen(0, "127.0.0.1", listening));
  const address = engine.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const logged: string[] = [];
  try {
    const network = readMachineNetwork({
      docker: new Docker({ host: "127.0.0.1", port }),
      image: "none",
      cache_folder: folder.path,
      npm_command: [npm],
      certificate_files: [join(folder.path, "missing.pem")],
      log: (_level, message) => void logged.push(message),
    });
    const registry = ({ network: { npm_registry } }: MachineNetwork) => npm_registry;
    const [first, same] = await Promise.all([network(), network()]);
    assert.deepEqual(
      [registry(first), registry(same), registry(await network())],
      Array(3).fill("https://one.test/"),
    );
    await writeFile(npmrc, "another");
    assert.deepEqual(
      (await Promise.all([network(), network()])).map(registry),
      Array(2).fill("https://another.test/"),
    );
    assert.equal(await readFile(calls, "utf8"), "call\ncall\n");
    await rm(npm);
    await writeFile(npmrc, "gone");
    const gone = await network();
    assert.equal(registry(gone), null);
    assert.ok(
      logged.some((line) => line.includes("npm")),
      logged.join(),
    );
  } finally {
    engine.closeAllConnections();
    engine.close();
  }
});
