import { spawn } from "node:child_process";
import { once } from "node:events";

type Machine = { platform: string; env: Record<string, string | undefined> };

/** The command that shows an address in the person's browser; null where there is no screen. */
export function browserCommand({ platform, env }: Machine, url: string): [string, ...string[]] | null {
  if (platform === "darwin") return ["open", url];
  if (platform === "win32") return ["rundll32", "url.dll,FileProtocolHandler", url];
  const has_screen = Boolean(env.DISPLAY || env.WAYLAND_DISPLAY || env.WSL_DISTRO_NAME);
  return has_screen ? ["xdg-open", url] : null;
}

/** Shows an address in the person's browser. Resolves with whether one was started, which is not waited for further. */
export async function browse(machine: Machine, url: string): Promise<boolean> {
  if (!/^https?:\/\//.test(url)) return false;
  const command = browserCommand(machine, url);
  if (command === null) return false;
  const [program, ...args] = command;
  const child = spawn(program, args, { stdio: "ignore", detached: true });
  child.unref();
  return once(child, "spawn").then(
    () => true,
    () => false,
  );
}
