import { closeSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import type { Writable } from "node:stream";
import { closeFifo, type FifoSupply } from "../../process/fifo.ts";

/** A pipe for the standard input of a process, which opens it by `path`; what is written into `input` it reads. */
export type InputPipe = { path: string; input: Writable };

/**
 * Runs `use` with a new pipe, whose reader must have opened it when that settles; `use` owns the writing end. Unlike the sockets that the
 * platform gives to children, a program can open it again, as /dev/stdin.
 */
export async function withInputPipe<T>(supply: FifoSupply, use: (pipe: InputPipe) => Promise<T>): Promise<T> {
  const [fifo, spare] = await supply.take();
  closeFifo(spare);
  const input = new Socket({ fd: fifo.write, readable: false, writable: true });
  // A program may end without having read it all.
  input.on("error", () => input.destroy());
  try {
    return await use({ path: fifo.path, input });
  } finally {
    closeSync(fifo.read);
    for (const { path } of [fifo, spare]) rmSync(path, { force: true });
  }
}
