import type { ToolProcesses } from "../../process/tool-processes.ts";

/** What is read of what a program says. */
const OUTPUT_MAX_BYTES = 256 * 1024;
const TIMEOUT_MS = 10_000;

/** Runs the small programs of the desktop image. */
export class XPrograms {
  readonly #place: { processes: ToolProcesses; home: string; env: Record<string, string> };

  constructor(place: { processes: ToolProcesses; home: string; env: Record<string, string> }) {
    const { processes, home, env } = place;
    this.#place = { processes, home, env };
  }

  /** What it printed, or why it failed. */
  async run(
    argv: readonly [string, ...string[]],
    signal: AbortSignal,
  ): Promise<{ ok: boolean; output: string }> {
    const { processes, home, env } = this.#place;
    const pieces: Buffer[] = [];
    let bytes = 0;
    const result = await processes.run({
      argv,
      cwd: home,
      env,
      stdin_path: null,
      async onOutput(_stream, chunk) {
        if (bytes < OUTPUT_MAX_BYTES) pieces.push(chunk);
        bytes += chunk.length;
      },
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    signal.throwIfAborted();
    const output = Buffer.concat(pieces).toString("utf8");
    if (result.cause === "exited" && result.exit_code === 0) return { ok: true, output };
    const how = result.message ?? `${argv[0]} failed (${result.cause}, exit code ${result.exit_code}).`;
    return { ok: false, output: `${how} ${output}`.trim() };
  }
}
