import assert from "node:assert/strict";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { Config, PROVIDER_VARIABLES } from "../contract/config.ts";
import { ROUTES_ALLOWED } from "../gateway/broker/routes.ts";
import { CERTIFICATE_VARIABLES } from "./gateway.ts";
import { readSettings } from "./settings.ts";

const ROOT = join(import.meta.dirname, "../..");
const page = readFileSync(join(ROOT, "docs/configuration.md"), "utf8");

/** First and second cell of each row of the table under a heading. */
function rows(heading: string): [string, string][] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  return Array.from(section.matchAll(/^\| `([^`]+)` \| (.+?) \|/gm), ([, name = "", cell = ""]) => [
    name,
    cell.replaceAll("`", ""),
  ]);
}

type Schema = {
  type?: string;
  default?: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
};

/** Each field that holds a value, with its default as JSON. */
function* fields(schema: Schema, at: string): Generator<[string, string]> {
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const path = at === "" ? name : `${at}.${name}`;
    const { additionalProperties: items } = field;
    if (field.properties !== undefined) yield* fields(field, path);
    else if (typeof items === "object" && items.properties !== undefined)
      yield* fields(items, `${path}.NAME`);
    else if (schema.required?.includes(name)) yield [path, "required"];
    else yield [path, field.default === undefined ? "none" : JSON.stringify(field.default)];
  }
}

test("docs/configuration.md lists each field of config.json with its default, and no other", () => {
  const schema = z.toJSONSchema(Config, { io: "input" }) as Schema;
  assert.deepEqual(rows("Fields"), [...fields(schema, "")]);
});

test("the examples of config.json in the documentation are valid configurations", () => {
  for (const [name, ...templates] of [
    ["configuration.md", ["ruby"]],
    ["models.md", []],
    ["agents.md", ["codex"], ["my-agent"]],
    ["previews.md", []],
  ] as const) {
    const text = readFileSync(join(ROOT, "docs", name), "utf8");
    const examples = Array.from(text.matchAll(/```json\n([\s\S]*?)```/g), ([, example = ""]) => example);
    assert.equal(examples.length, templates.length, name);
    for (const [index, example] of examples.entries()) {
      const known = Object.keys(Config.parse(JSON.parse(example)).templates).sort();
      assert.deepEqual(known, ["agents", "base", "desktop", ...(templates[index] ?? [])].sort());
    }
  }
});

test("docs/models.md lists the routes of each protocol that the broker lets through", () => {
  const text = readFileSync(join(ROOT, "docs/models.md"), "utf8");
  for (const [protocol, routes] of Object.entries(ROUTES_ALLOWED))
    assert.ok(text.includes(`| \`${protocol}\` | ${routes} |`), protocol);
});

test("docs/configuration.md lists each environment variable that is read, and no other", () => {
  const read = new Set<string>([...PROVIDER_VARIABLES, ...CERTIFICATE_VARIABLES]);
  // What the runner reads is the sandbox's own environment.
  const sources = globSync("src/**/*.ts", { cwd: ROOT }).filter(
    (file) => !/^src\/runner\/|\.(test|fake|contract)\.ts$|-fixture\.ts$/.test(file),
  );
  for (const file of sources) {
    const text = readFileSync(join(ROOT, file), "utf8");
    for (const [, name = ""] of text.matchAll(/\b(?:env|environment)\??\.([A-Z][A-Z0-9_]+)\b/g))
      read.add(name);
    for (const [, name = ""] of text.matchAll(/\bbase\("([A-Z][A-Z0-9_]+)"/g)) read.add(name);
  }
  const launcher = readFileSync(join(ROOT, "sealwork"), "utf8");
  for (const [, name = ""] of launcher.matchAll(/\$\{?([A-Z][A-Z0-9_]+)/g))
    if (!new RegExp(`^${name}=`, "m").test(launcher)) read.add(name);
  const listed = rows("Environment variables").map(([name]) => name);
  assert.deepEqual(listed.toSorted(), [...read].sort());
});

test("a configuration is read when it is needed, and what is wrong in it is named", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "sealwork-config-"));
  const file = join(folder.path, "config.json");
  const settings = () =>
    readSettings({ HOME: folder.path, SEALWORK_CONFIG: file, XDG_STATE_HOME: "relative" });
  assert.equal(settings().data, join(folder.path, ".local/state/sealwork"));
  for (const [text, what] of [
    ["{", /JSON/],
    ['{"concurency": 3}', /is not valid: Unrecognized key: "concurency"/],
    ['{"queue_max": 0}', /is not valid: queue_max: /],
    ['{"dashboard": {"origins": ["http://box.example"]}}', /is not valid: dashboard\.origins\.0: /],
    ['{"dashboard": {"origins": ["https://x.localhost"]}}', /dashboard\.origins: .* one below the other/],
    ['{"default_template": "ruby"}', /default_template names ruby, which is no template/],
  ] as const) {
    writeFileSync(file, text);
    const read = settings();
    assert.throws(() => read.config, { code: "invalid_config", message: what });
  }
  writeFileSync(file, '{"concurrency": 3}');
  assert.equal(settings().config.concurrency, 3);
  assert.throws(() => readSettings({ HOME: folder.path, SEALWORK_CONFIG: `${file}.none` }).config, /ENOENT/);
  assert.equal(readSettings({ HOME: folder.path }).config.concurrency, null);
});
