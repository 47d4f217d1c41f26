import type { Duplex } from "node:stream";
import type { OutStream } from "../contract/link.ts";
import type { Outbound } from "../core/outbound.ts";

/**
 * What the gateway serves to the connections that programs in a sandbox open. Each takes a connection over, whatever comes on it, and
 * closes it in the end; it never throws. The bytes are untrusted.
 */
export type OutServices = Record<OutStream, (connection: Duplex, outbound: Outbound) => void>;
