import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ERRORS, REASONS } from "../contract/errors.ts";
import { startServer } from "./test-server.fake.ts";

const docs = new URL("../../docs/", import.meta.url);
const read = (name: string) => readFileSync(new URL(name, docs), "utf8");
/** Routes as `docs/api.md` lists them in its tables: `METHOD /path`. */
const listed = () =>
  Array.from(
    read("api.md").matchAll(/^\| `((?:GET|POST|PUT|PATCH|DELETE) \/[^`]*)`/gm),
    (match) => match[1] ?? "",
  );

test("docs/errors.md lists the errors and reasons that there are, no others, and says of them what the code says", () => {
  const rows = read("errors.md")
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  const wanted = [
    ...Object.entries(ERRORS).map(
      ([code, { status, retryable, meaning }]) =>
        `| \`${code}\` | ${status} | ${retryable ? "yes" : "no"} | ${meaning} |`,
    ),
    ...Object.entries(REASONS).map(([code, hint]) => `| \`${code}\` | ${hint} |`),
  ];
  assert.deepEqual(rows, wanted);
});

test("OpenAPI and docs/api.md list the same routes, and each of them is served", async () => {
  await using server = await startServer({ token: "t" });
  const answer = await fetch(`${server.url}/openapi.json`, { headers: { authorization: "Bearer t" } });
  const { paths } = (await answer.json()) as { paths: Record<string, Record<string, { responses: object }>> };
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => method !== "head")
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
  assert.deepEqual(described.sort(), listed().sort());
  for (const route of described) {
    const [method = "", path = ""] = route.split(" ");
    const tried = await fetch(`${server.url}${path.replaceAll(/\{\w+\}/g, "x")}`, { method: "OPTIONS" });
    await tried.body?.cancel();
    assert.equal(tried.status, 401, `${method} ${path} wants the token`);
    const allowed = await fetch(`${server.url}${path.replaceAll(/\{\w+\}/g, "x")}`, {
      method: "OPTIONS",
      headers: { authorization: "Bearer t" },
    });
    await allowed.body?.cancel();
    assert.deepEqual([allowed.status, allowed.headers.get("allow")?.includes(method)], [405, true], route);
  }
});

test("every parameter in a path of OpenAPI is described under its name", async () => {
  await using server = await startServer();
  type Operation = { parameters?: { name: string; in: string }[] };
  const { paths } = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, Operation>>;
  };
  for (const [path, operations] of Object.entries(paths)) {
    const named = Array.from(path.matchAll(/\{([^}]+)\}/g), (match) => match[1]);
    for (const { parameters = [] } of Object.values(operations)) {
      const described = parameters.filter((one) => one.in === "path").map((one) => one.name);
      assert.deepEqual(described.sort(), named.sort(), path);
    }
  }
});

test("OpenAPI describes both bodies of POST /schedule, its answer and its errors", async () => {
  await using server = await startServer();
  const { paths, components, openapi } = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
    openapi: string;
    paths: Record<string, { post?: { requestBody: { content: object }; responses: object } }>;
    components: { securitySchemes: object };
  };
  const post = paths["/schedule"]?.post;
  assert.equal(openapi, "3.1.0");
  assert.deepEqual(Object.keys(post?.requestBody.content ?? {}), ["application/json", "multipart/form-data"]);
  for (const status of ["200", "400", "401", "413", "415", "422", "429"])
    assert.ok(Object.keys(post?.responses ?? {}).includes(status), status);
  assert.deepEqual(components.securitySchemes, {
    token: { type: "http", scheme: "bearer" },
    browser: { type: "apiKey", in: "cookie", name: "__Host-sealwork" },
  });
});

test("the page /docs loads nothing from another host", async () => {
  await using server = await startServer();
  const page = await fetch(`${server.url}/docs`);
  const html = await page.text();
  assert.equal(page.status, 200);
  assert.doesNotMatch(html, /https?:\/\//);
  assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'none'/);
  const script = await fetch(`${server.url}/docs/static/swagger-initializer.js`);
  assert.match(await script.text(), /openapi\.json/);
});
