import { type FileHandle, open } from "node:fs/promises";
import { extname, join } from "node:path";
import type { FastifyReply, FastifyRequest } from "fastify";
import { AppError } from "../../contract/errors.ts";

/** A build names its files after their content, so what a name stands for never changes. */
const KEPT = "public, max-age=31536000, immutable";
const NAME = /^[\w-][\w.-]{0,200}$/;
const CONTENT_TYPES: Record<string, string> = {
  ".css": "text/css; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".woff2": "font/woff2",
};
/** The compressed forms that a build puts beside its files, the smallest first. */
const ENCODINGS = [
  { encoding: "br", ending: ".br" },
  { encoding: "gzip", ending: ".gz" },
];

/** A worker lives by the policy of its own file: it talks to this server, and loads what belongs to it. */
const SCRIPT_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'";

type Found = { file: FileHandle; bytes: number; encoding: string | null };

/** Sends a file of the build out of `folder`, compressed where it is and where the browser takes that. Throws AppError `not_found`. */
export async function sendAsset(
  folder: string | null,
  name: string,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
): Promise<FastifyReply> {
  const content_type = CONTENT_TYPES[extname(name)];
  const found =
    folder === null || content_type === undefined || !NAME.test(name)
      ? null
      : await find(join(folder, "assets", name), request.headers["accept-encoding"] ?? "");
  if (found === null || content_type === undefined)
    throw new AppError({ code: "not_found", message: "The dashboard has no such file." });
  const { file, bytes, encoding } = found;
  const etag = `"${name}${encoding === null ? "" : `.${encoding}`}"`;
  reply.headers({ "cache-control": KEPT, etag, vary: "accept-encoding" });
  const known = request.headers["if-none-match"]?.split(",").some((one) => one.trim() === etag) === true;
  if (known) {
    await file.close();
    return reply.code(304).send();
  }
  if (extname(name) === ".js") reply.header("content-security-policy", SCRIPT_POLICY);
  if (encoding !== null) reply.header("content-encoding", encoding);
  reply.headers({ "content-type": content_type, "content-length": bytes });
  return reply.send(file.createReadStream());
}

async function find(path: string, accepted: string): Promise<Found | null> {
  for (const { encoding, ending } of ENCODINGS) {
    if (!accepts(accepted, encoding)) continue;
    const found = await openFile(`${path}${ending}`);
    if (found !== null) return { ...found, encoding };
  }
  const found = await openFile(path);
  return found === null ? null : { ...found, encoding: null };
}

/** Whether an `Accept-Encoding` (RFC 9110, 12.5.3) names the encoding and does not rule it out. */
function accepts(header: string, encoding: string): boolean {
  return header.split(",").some((one) => {
    const [name = "", quality = ""] = one.toLowerCase().replaceAll(" ", "").split(";");
    return name === encoding && !/^q=0(\.0*)?$/.test(quality);
  });
}

async function openFile(path: string): Promise<Pick<Found, "file" | "bytes"> | null> {
  let file: FileHandle;
  try {
    file = await open(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  const status = await file.stat();
  if (status.isFile()) return { file, bytes: status.size };
  await file.close();
  return null;
}
