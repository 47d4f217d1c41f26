import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";
import type { App } from "./route-context.ts";
import { SIGN_IN_COOKIE } from "./sign-in.ts";

const FILE_PARTS = {
  files: {
    type: "array",
    items: { type: "string", contentMediaType: "application/octet-stream" },
    description: "The filename of each is its path under the workspace.",
  },
  archive: {
    type: "string",
    contentMediaType: "application/zip",
    description: "Becomes the workspace's content.",
  },
} as const;

const CONTENT = { type: "string", format: "binary" };
/** Bodies that no schema can check: content as it is, and several files. */
const RAW_BODIES: { path: string; method: string; type: string; schema: object }[] = [
  { path: "/jobs/{id}/files/{path}", method: "put", type: "application/octet-stream", schema: CONTENT },
  { path: "/jobs/{id}/archive", method: "put", type: "application/x-tar", schema: CONTENT },
  {
    path: "/jobs/{id}/files",
    method: "post",
    type: "multipart/form-data",
    schema: { type: "object", properties: { files: FILE_PARTS.files } },
  },
];

/** The page loads nothing from anywhere else. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; font-src 'self'; frame-ancestors 'none'";

/** Describes all routes that are registered after it, and shows the description at `/docs`. */
export async function describeRoutes(app: App, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Sealwork",
        version,
        description:
          "Describe a task; an agent works on it in a sealed container; the result comes back as a ZIP.",
      },
      components: {
        securitySchemes: {
          token: { type: "http", scheme: "bearer" },
          browser: { type: "apiKey", in: "cookie", name: SIGN_IN_COOKIE },
        },
      },
      security: [{ token: [] }, { browser: [] }],
      tags: ["jobs", "events", "files", "surfaces", "sign-in", "server"].map((name) => ({ name })),
    },
    transform: jsonSchemaTransform as never,
    transformObject: (document) => mended(jsonSchemaTransformObject(document)) as never,
  });
  await app.register(swaggerUi, {
    routePrefix: "/docs",
    staticCSP: PAGE_POLICY,
    uiConfig: { url: "/openapi.json", validatorUrl: null },
  });
}

type Content = Record<string, { schema?: unknown }>;
type Operation = { requestBody?: unknown; parameters?: { name: string }[] };
type Paths = Record<string, Record<string, Operation> | undefined>;

/** Fastify's wildcard has no name, and one body schema stands for one content type only; both are mended here. */
function mended(document: unknown): unknown {
  const paths = (document as { paths?: Paths }).paths ?? {};
  for (const [path, operations] of Object.entries(paths)) {
    if (!path.includes("{*}")) continue;
    for (const { parameters = [] } of Object.values(operations ?? {}))
      for (const parameter of parameters) if (parameter.name === "*") parameter.name = "path";
    paths[path.replace("{*}", "{path}")] = operations;
    delete paths[path];
  }
  const body = paths["/schedule"]?.post?.requestBody as { content: Content } | undefined;
  const job = body?.content["application/json"]?.schema;
  if (body !== undefined && job !== undefined)
    body.content["multipart/form-data"] = {
      schema: { type: "object", required: ["job"], properties: { job, ...FILE_PARTS } },
    };
  for (const { path, method, type, schema } of RAW_BODIES) {
    const operation = paths[path]?.[method];
    if (operation !== undefined) operation.requestBody = { required: true, content: { [type]: { schema } } };
  }
  return document;
}
