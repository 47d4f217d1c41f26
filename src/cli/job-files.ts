import path from "node:path";
import { FileAnswer, UnpackAnswer } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import { type FileEntry, FileList } from "../contract/link-answers.ts";
import type { FileRoot } from "../contract/surfaces.ts";
import type { Client } from "./client.ts";

export type Kind = "file" | "folder" | "missing";
/** A place in a job; "" is the root. */
export type JobPlace = { root: FileRoot; path: string };

/** The files of one job, as a server gives and takes them. Methods throw what Client throws. */
export class JobFiles {
  readonly #client: Client;
  readonly #job_id: string;
  readonly #signal: AbortSignal;

  constructor(client: Client, job_id: string, signal: AbortSignal) {
    this.#client = client;
    this.#job_id = job_id;
    this.#signal = signal;
  }

  async kind(place: JobPlace): Promise<Kind> {
    if (place.path === "") return "folder";
    if (await this.#isThere(`/jobs/${this.#job_id}/files`, { path: place.path, root: place.root }, {}))
      return "folder";
    const { root } = place;
    const is_file = await this.#isThere(this.#filePath(place), { root }, { range: "bytes=0-0" });
    return is_file ? "file" : "missing";
  }

  /** What its folder says of a file; null where that has too many to list them all. */
  async entry(place: JobPlace): Promise<FileEntry | null> {
    const folder = path.posix.dirname(place.path);
    const answer = await this.#client.open({
      path: `/jobs/${this.#job_id}/files`,
      query: { path: folder === "." ? "" : folder, root: place.root },
      signal: this.#signal,
    });
    const { entries } = FileList.parse(await answer.json());
    return entries.find((one) => one.path === place.path) ?? null;
  }

  read(place: JobPlace): Promise<AsyncIterable<Uint8Array>> {
    return this.#body(this.#filePath(place), { root: place.root }, "*/*");
  }

  /** What is in a folder, as an untrusted tar. */
  tar(place: JobPlace): Promise<AsyncIterable<Uint8Array>> {
    return this.#body(
      `/jobs/${this.#job_id}/archive`,
      { path: place.path, root: place.root },
      "application/x-tar",
    );
  }

  async write(place: JobPlace, content: AsyncIterable<Uint8Array>): Promise<void> {
    const call = { path: this.#filePath(place), query: { root: place.root }, content, signal: this.#signal };
    await this.#client.send(FileAnswer, call);
  }

  async unpack(place: JobPlace, content: AsyncIterable<Uint8Array>): Promise<void> {
    const query = { path: place.path, root: place.root };
    const call = { path: `/jobs/${this.#job_id}/archive`, query, content, signal: this.#signal };
    await this.#client.send(UnpackAnswer, call);
  }

  async #isThere(
    path: string,
    query: Record<string, string>,
    headers: Record<string, string>,
  ): Promise<boolean> {
    try {
      const answer = await this.#client.open({ path, query, headers, signal: this.#signal });
      await answer.body?.cancel();
      return true;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      // An empty file has no part at all.
      if (error.code === "range_not_satisfiable") return true;
      if (error.code === "not_found") return false;
      throw error;
    }
  }

  async #body(
    path: string,
    query: Record<string, string>,
    accept: string,
  ): Promise<AsyncIterable<Uint8Array>> {
    const answer = await this.#client.open({ path, query, headers: { accept }, signal: this.#signal });
    return answer.body ?? (async function* () {})();
  }

  #filePath(place: JobPlace): string {
    return `/jobs/${this.#job_id}/files/${place.path.split("/").map(encodeURIComponent).join("/")}`;
  }
}
