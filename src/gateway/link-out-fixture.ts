import { createHash } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { AppError } from "../contract/errors.ts";
import type { Question } from "../contract/link.ts";
import type { Outbound } from "../core/outbound.ts";
import { OutLink } from "../runner/link/out.ts";
import { type Ends, openEnds, SANDBOX } from "./link-fixture.ts";
import type { OutServices } from "./out-services.ts";

/** Test support: a runner's end of `out` and the gateway's, over a real socket. */
export const QUESTION: Question = { key: "k-1", kind: "step", title: "Run make?", detail: "make all" };

/** A job that allows nothing; `given` replaces parts of it. */
export function outbound(given: Partial<Outbound> = {}): Outbound {
  return {
    job_id: "0190a6c0-0000-7000-8000-000000000001",
    providers: [],
    egress: { policy: "none", hosts: [] },
    reserve: () => Promise.reject(new AppError({ code: "budget_exhausted", message: "Nothing is left." })),
    asks: false,
    askEgress: async () => false,
    denied: () => undefined,
    ask: async () => ({ n: 1, decision: "deny" }),
    ...given,
  };
}

export const echo: OutServices["models"] = (connection) => {
  connection.on("error", () => connection.destroy());
  connection.pipe(connection);
};

export type Connected = { ends: Ends; out: OutLink };
export async function withOut(
  given: { out?: Partial<OutServices>; outbound?: Outbound | null },
  run: (connected: Connected) => Promise<void>,
): Promise<void> {
  const { out: services = {}, outbound: job = outbound() } = given;
  await using ends = await openEnds({}, { out: services, ...(job === null ? {} : { outbound: job }) });
  await using out = new OutLink({ folder: join(ends.folder, SANDBOX), connect_max_ms: 5_000 });
  await run({ ends, out });
}

/** As many turns of the loop as it takes for `read` to stay the same. */
export async function settled(read: () => number): Promise<number> {
  for (let still = 0, before = -1; still < 200; ) {
    await new Promise((resolve) => setImmediate(resolve));
    still = read() === before ? still + 1 : 0;
    before = read();
  }
  return read();
}

/** Reads one direction to its end and leaves the other open, which an iterator of the stream would not. */
export async function hashOf(connection: Duplex): Promise<string> {
  const hash = createHash("sha256");
  connection.on("data", (chunk: Buffer) => hash.update(chunk));
  await once(connection, "end");
  return hash.digest("hex");
}

export const closed = (stream: Duplex): Promise<unknown> =>
  stream.closed ? Promise.resolve() : new Promise((resolve) => stream.once("close", resolve));
