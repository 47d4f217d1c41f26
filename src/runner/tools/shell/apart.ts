import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TerminalSize } from "../../process/reaper.ts";
import { STATE_THEN_CODE } from "./shell-driver.ts";

const TERMINAL: TerminalSize = { columns: 120, rows: 40 };

/** What runs apart from the shell, as a process of its own: bash code, with the state that the shell left. */
export type ApartRun = { code: string; state: string; cwd: string; pty: boolean };

/** How to start it; disposal removes its files, after its end. */
export type ApartFiles = AsyncDisposable & {
  start: {
    argv: [string, ...string[]];
    cwd: string;
    env: Record<string, string>;
    terminal: TerminalSize | null;
  };
};

/** Lays out the files of such a process. A sentence when the disk does not take them. */
export async function layOut(
  options: ApartRun & { scratch: string; env: Record<string, string> },
): Promise<ApartFiles | string> {
  const { scratch, cwd, env, pty } = options;
  try {
    await mkdir(scratch, { recursive: true });
    const folder = await mkdtemp(join(scratch, ".sealwork-apart-"));
    const [state, code] = [join(folder, "state"), join(folder, "code")] as const;
    await writeFile(state, options.state, { mode: 0o600 });
    await writeFile(code, options.code, { mode: 0o600 });
    return {
      start: {
        argv: ["bash", "-c", STATE_THEN_CODE, "bash", state, code],
        cwd,
        env: pty ? { ...env, PWD: cwd, TERM: "xterm-256color" } : { ...env, PWD: cwd },
        terminal: pty ? TERMINAL : null,
      },
      async [Symbol.asyncDispose]() {
        await rm(folder, { recursive: true, force: true }).catch(() => undefined);
      },
    };
  } catch (error) {
    return `The code could not be stored: ${error instanceof Error ? error.message : String(error)}`;
  }
}
