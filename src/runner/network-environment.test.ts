import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { rootCertificates } from "node:tls";
import { networkEnvironment } from "./network-environment.ts";

const NETWORK = { egress: true, npm_registry: null, pip_index_url: null, ca_pem: null };
const EXTRA = "-----BEGIN CERTIFICATE-----\nextra\n-----END CERTIFICATE-----\n";

async function temporaryHome(): Promise<AsyncDisposable & { home: string }> {
  const home = await mkdtemp(join(tmpdir(), "sealwork-home-"));
  return { home, [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }) };
}

test("without a way out there is no variable and no file", async () => {
  await using place = await temporaryHome();
  const network = {
    egress: false,
    npm_registry: "https://npm.test/",
    pip_index_url: "https://pip.test/simple",
    ca_pem: EXTRA,
  };
  assert.deepEqual(await networkEnvironment(network, place), {});
  assert.deepEqual(await readdir(place.home), []);
});

test("the proxy is named in both spellings, registries where the machine names them", async () => {
  await using place = await temporaryHome();
  const env = await networkEnvironment(NETWORK, place);
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"])
    assert.equal(env[name], "http://127.0.0.1:24802", name);
  assert.deepEqual([env.NO_PROXY, env.no_proxy], Array(2).fill("localhost,127.0.0.1,::1,.localhost"));
  assert.equal(env.NODE_USE_ENV_PROXY, "1");
  for (const name of ["NPM_CONFIG_REGISTRY", "PIP_INDEX_URL", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"])
    assert.ok(!(name in env), name);
  const registries = { npm_registry: "https://npm.test/", pip_index_url: "https://pip.test/simple" };
  const named = await networkEnvironment({ ...NETWORK, ...registries }, place);
  assert.deepEqual([named.NPM_CONFIG_REGISTRY, named.PIP_INDEX_URL], Object.values(registries));
  assert.deepEqual(
    [named.YARN_REGISTRY, named.YARN_NPM_REGISTRY_SERVER],
    ["https://npm.test/", "https://npm.test"],
  );
  assert.deepEqual(await readdir(place.home), []);
});

test("certificates of the machine are added to what the image trusts, outside the workspace", async () => {
  await using place = await temporaryHome();
  const system = join(place.home, "system.pem");
  await writeFile(system, "-----BEGIN CERTIFICATE-----\nsystem\n-----END CERTIFICATE-----\n");
  const system_bundles = [join(place.home, "missing.pem"), system];
  const network = { ...NETWORK, ca_pem: EXTRA };
  const env = await networkEnvironment(network, { ...place, system_bundles });
  assert.equal(await readFile(env.NODE_EXTRA_CA_CERTS ?? "", "utf8"), EXTRA);
  const whole = (await readFile(system, "utf8")) + EXTRA;
  for (const name of [
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
  ]) {
    assert.ok(env[name]?.startsWith(join(place.home, ".sealwork")), name);
    assert.equal(await readFile(env[name] ?? "", "utf8"), whole, name);
  }
  assert.equal(await readFile(env.WGETRC ?? "", "utf8"), `ca_certificate = ${env.SSL_CERT_FILE}\n`);
  const bare = await networkEnvironment(network, { ...place, system_bundles: [] });
  const trusted = await readFile(bare.SSL_CERT_FILE ?? "", "utf8");
  assert.ok(trusted.includes(rootCertificates[0] ?? "?") && trusted.endsWith(EXTRA));
});
