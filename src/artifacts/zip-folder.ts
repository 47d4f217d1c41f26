import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { asBuffer } from "./read-chunks.ts";
import { addToTar } from "./tar-sink.ts";
import { describe, judged, nameOf, notFound, openZip } from "./zip-reading.ts";

const LINK_TARGET_MAX_BYTES = 4096;

/**
 * A folder of a ZIP that this system wrote as a tar of what is in it ("" is the root), or a file as a tar of itself. Throws AppError
 * `invalid_path`, or `not_found`, also for a symlink, which is not followed.
 */
export async function openZipFolder(zip_path: string, given: string, signal: AbortSignal): Promise<Readable> {
  const path = given === "" ? "" : judged(given);
  const prefix = path === "" ? "" : `${path}/`;
  await using zip = await openZip(zip_path);
  for await (const entry of zip.file.eachEntry()) {
    const name = nameOf(entry);
    if (name.startsWith(prefix)) return asTar(zip_path, prefix, signal);
    if (name !== path) continue;
    if (describe(entry).type === "symlink") throw notFound(given, "is a symlink, which is not followed");
    return asTar(zip_path, path, signal);
  }
  throw notFound(given, "is nothing of the job's files");
}

/** `wanted` is the name of a file, or the beginning of the names of all that is in a folder. */
function asTar(zip_path: string, wanted: string, signal: AbortSignal): Readable {
  const tar = pack();
  const out = Readable.from(tar, { objectMode: false });
  const stop = (): void => void tar.destroy();
  out.once("close", stop);
  fill(zip_path, wanted, { tar, signal }).catch((error: unknown) => {
    out.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  return out;
}

async function fill(
  zip_path: string,
  wanted: string,
  { tar, signal }: { tar: ReturnType<typeof pack>; signal: AbortSignal },
): Promise<void> {
  const is_folder = wanted === "" || wanted.endsWith("/");
  await using zip = await openZip(zip_path);
  for await (const entry of zip.file.eachEntry()) {
    signal.throwIfAborted();
    if (tar.destroyed) return;
    const name = nameOf(entry);
    if (is_folder ? !name.startsWith(wanted) || name === wanted : name !== wanted) continue;
    const { type, size_bytes, modified_at, mode } = describe(entry);
    const path = is_folder ? name.slice(wanted.length) : (name.split("/").at(-1) ?? name);
    const head = { path, mode, modified_at: new Date(modified_at) };
    if (type === "folder") await addToTar(tar, { ...head, kind: "folder" });
    else {
      const content = buffers(await zip.file.openReadStreamPromise(entry));
      if (type === "file") await addToTar(tar, { ...head, kind: "file", size_bytes, content });
      else await addToTar(tar, { ...head, kind: "symlink", target: await targetOf(content) });
    }
  }
  tar.finalize();
}

async function* buffers(content: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  for await (const chunk of content) yield asBuffer(chunk);
}

async function targetOf(content: AsyncIterable<Buffer>): Promise<string> {
  const chunks = await Array.fromAsync(content);
  return Buffer.concat(chunks).subarray(0, LINK_TARGET_MAX_BYTES).toString();
}
