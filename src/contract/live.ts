// Apart from the schemas of surfaces.ts, which the runner builds when they are first needed: it starts anew for every job.

/**
 * What people use live of a sandbox. Each is a stream of bytes over the link's `live` connection: CONNECT with one of these names as
 * the authority.
 * - `port.N`: a TCP connection to port N inside, on 127.0.0.1, then on ::1
 * - `desktop`: RFB 3.8 (RFC 6143) of the desktop, which starts with the first one
 * - `jupyter`: HTTP/1.1 to Jupyter Lab, which starts with the first one; its base URL is JUPYTER_BASE_PATH
 * - `process`: frames (frames.ts); the first is a ProcessRequest
 */
export type LiveTarget = `port.${number}` | "desktop" | "jupyter" | "process";

/** The target that an authority names; null for one that is none. */
export function liveTarget(authority: string | undefined): LiveTarget | null {
  if (authority === "desktop" || authority === "jupyter" || authority === "process") return authority;
  const port = /^port\.([1-9]\d{0,4})$/.exec(authority ?? "")?.[1];
  return port !== undefined && Number(port) <= PORT_MAX ? `port.${Number(port)}` : null;
}

export const PORT_MAX = 65_535;
/** Streams on `live` of one sandbox at the same time; each buffers at most LIVE_WINDOW_BYTES on either side. */
export const LIVE_STREAMS_MAX = 256;
export const LIVE_WINDOW_BYTES = 256 * 1024;

/** Where Jupyter serves below its address: the same path in a browser and for programs, so that nothing has to be rewritten. */
export function jupyterBasePath(job_id: string): string {
  return `/jobs/${job_id}/jupyter/`;
}
