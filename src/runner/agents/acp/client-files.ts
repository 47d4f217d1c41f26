import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { isAbsolute, normalize, relative } from "node:path";
import {
  type ReadTextFileRequest,
  type ReadTextFileResponse,
  RequestError,
  type WriteTextFileRequest,
} from "@agentclientprotocol/sdk";
import { comparable, writeFileBelow } from "../../workspace/write-file.ts";
import type { SessionStory } from "./session-story.ts";

/** A larger file is read by tools of the agent's own. */
const READ_MAX_BYTES = 8 * 1024 * 1024;

/**
 * The files that an agent CLI reads and writes through us, as an editor's would be: text below the home folder, in which the workspace lies.
 * Each write is told as a change of that file. Refusals are RequestErrors, which the protocol carries to the agent.
 */
export class ClientFiles {
  readonly #home: string;
  readonly #story: SessionStory;

  constructor(options: { home: string; story: SessionStory }) {
    this.#home = options.home;
    this.#story = options.story;
  }

  async read({ path, line, limit }: ReadTextFileRequest): Promise<ReadTextFileResponse> {
    this.#below(path);
    let text: string;
    try {
      const real = await realpath(path);
      const root = await realpath(this.#home);
      if (!real.startsWith(`${root}/`)) throw outside(path);
      const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
      await using file = await open(real, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
      const status = await file.stat();
      if (!status.isFile()) throw RequestError.invalidParams(undefined, `${path} is no file.`);
      if (status.size > READ_MAX_BYTES)
        throw RequestError.invalidParams(undefined, `${path} is larger than ${READ_MAX_BYTES} bytes.`);
      text = await file.readFile("utf8");
    } catch (error) {
      if (error instanceof RequestError) throw error;
      if (isMissing(error)) throw RequestError.resourceNotFound(path);
      throw RequestError.internalError(undefined, `${path} could not be read: ${textOf(error)}.`);
    }
    if (line === undefined && limit === undefined) return { content: text };
    const first = Math.max((line ?? 1) - 1, 0);
    const lines = text.split("\n");
    return {
      content: lines
        .slice(first, limit === undefined || limit === null ? undefined : first + limit)
        .join("\n"),
    };
  }

  async write({ path, content }: WriteTextFileRequest): Promise<Record<string, never>> {
    const name = this.#below(path);
    let before: Buffer | null;
    try {
      before = await writeFileBelow(this.#home, name, Buffer.from(content));
    } catch (error) {
      throw RequestError.internalError(undefined, `${path} could not be written: ${textOf(error)}.`);
    }
    this.#story.written(path, before === null ? null : comparable(before), content);
    return {};
  }

  /** The path relative to home. */
  #below(path: string): string {
    const inside = relative(this.#home, normalize(path));
    if (!isAbsolute(path) || inside === "" || inside.split("/")[0] === ".." || path.includes("\0"))
      throw outside(path);
    return inside;
  }
}

function outside(path: string): RequestError {
  return RequestError.invalidParams(undefined, `${path} lies outside the home folder.`);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
