import type { Config } from "../../contract/config.ts";
import { DASHBOARD_NAME } from "../../contract/sign-in-api.ts";
import type { FramedBy } from "./answer-headers.ts";

export type PreviewOrigin = {
  /** The host name, in lower case. */
  name: string;
  /** As a browser writes it in `Origin`. */
  origin: string;
  framed_by: FramedBy;
};

type Address = { name: string; port: string | null };

/** The name and port of a `Host` header, in lower case; null for what is none. An address in brackets is no name. */
export function originOf(host: string | undefined): Address | null {
  const [, name, port] = /^([a-z0-9.-]{1,253})(?::(\d{1,5}))?$/i.exec(host ?? "") ?? [];
  return name === undefined ? null : { name: name.toLowerCase(), port: port ?? null };
}

/** How the origins of previews are written. */
export class PreviewOrigins {
  readonly #config: Config["previews"];

  constructor(config: Config["previews"]) {
    this.#config = config;
  }

  /** The origin that a request with this `Host` came to. */
  of(host: string): PreviewOrigin {
    const { name, port } = originOf(host) ?? { name: "", port: null };
    const { scheme, framed_by } = this.#config;
    const local = scheme === "http" ? [`http://${DASHBOARD_NAME}${portPart(port, "80")}`] : [];
    const origin = `${scheme}://${name}${portPart(port, scheme === "http" ? "80" : "443")}`;
    return { name, origin, framed_by: [...local, ...framed_by] };
  }

  /** The origin of a preview for a client that called this server by `host`: over the same port, unless another one is configured. */
  at(name: string, host: string | undefined): string {
    const { scheme, port } = this.#config;
    const called = /:(\d{1,5})$/.exec(host ?? "")?.[1] ?? null;
    const shown = port !== null ? String(port) : scheme === "http" ? called : null;
    return `${scheme}://${name}${portPart(shown, scheme === "http" ? "80" : "443")}`;
  }
}

function portPart(port: string | null, usual: string): string {
  return port === null || port === usual ? "" : `:${port}`;
}
