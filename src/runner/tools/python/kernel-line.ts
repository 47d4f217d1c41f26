import * as z from "zod/mini";

/** What images/base/kernel.py says, one JSON object a line. */
const KernelLine = z.discriminatedUnion("event", [
  z.object({ event: z.literal("missing"), module: z.string() }),
  z.object({ event: z.literal("failed"), message: z.string() }),
  z.object({ event: z.literal("ready") }),
  z.object({ event: z.literal("died"), code: z.nullable(z.int()) }),
  z.object({ event: z.literal("begun"), id: z.int() }),
  z.object({ event: z.literal("stream"), id: z.int(), name: z.enum(["stdout", "stderr"]), text: z.string() }),
  z.object({
    event: z.literal("display"),
    id: z.int(),
    data: z.record(z.string(), z.string()),
    result: z.boolean(),
  }),
  z.object({
    event: z.literal("error"),
    id: z.int(),
    name: z.string(),
    value: z.string(),
    text: z.string(),
  }),
  z.object({
    event: z.literal("done"),
    id: z.int(),
    status: z.string(),
    count: z.nullable(z.int()),
  }),
]);
export type KernelLine = z.infer<typeof KernelLine>;

/** What a cell put out, as the kernel said it. */
export type CellOutput = Extract<KernelLine, { event: "stream" | "display" | "error" }>;

/** A line with a picture in it is long (images/base/kernel.py has the same bound); one that is longer is no line of the kernel's. */
const LINE_MAX_BYTES = 24 * 1024 * 1024;
const NEWLINE = 10;

/** Takes output apart into lines. What is no line of the kernel's is passed over. */
export class KernelLines {
  #rest: Buffer[] = [];
  #rest_bytes = 0;

  *add(chunk: Buffer): Generator<KernelLine> {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      const whole = Buffer.concat([...this.#rest, chunk.subarray(from, at)]);
      this.#rest = [];
      this.#rest_bytes = 0;
      from = at + 1;
      const line = parse(whole);
      if (line !== null) yield line;
    }
    this.#rest_bytes += chunk.length - from;
    if (this.#rest_bytes > LINE_MAX_BYTES) this.#rest = [];
    else if (from < chunk.length) this.#rest.push(chunk.subarray(from));
  }
}

function parse(line: Buffer): KernelLine | null {
  try {
    return KernelLine.parse(JSON.parse(line.toString("utf8")));
  } catch {
    return null;
  }
}
