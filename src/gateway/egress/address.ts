import ipaddr from "ipaddr.js";

/** All that is given out of IPv6 so far (RFC 4291, section 2.4, and IANA's registry); the rest embeds, maps or is local. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR("2000::/3");
/** A public address at which Azure tells a virtual machine about itself. */
const METADATA = ["168.63.129.16"];

/**
 * Why nothing may be sent to an address, null when it is an ordinary public one. Loopback, private, link-local, shared (RFC 6598), multicast,
 * documentation and all other special ranges are none, nor are those that wrap another address (mapped, 6to4, Teredo, NAT64): whether
 * it is a harmless one depends on networks that are not seen from here. `own` are the addresses of this machine.
 */
export function whyNotPublic(address: string, own: readonly string[]): string | null {
  if (!ipaddr.isValid(address)) return "is no address";
  const parsed = ipaddr.parse(address);
  const range = parsed.range();
  if (range !== "unicast") return `is not public (${range})`;
  if (parsed instanceof ipaddr.IPv6 && !parsed.match(GLOBAL_UNICAST)) return "is not public (reserved)";
  const canonical = parsed.toString();
  if (METADATA.includes(canonical)) return "is not public (metadata)";
  const is_own = own.some((one) => ipaddr.isValid(one) && ipaddr.process(one).toString() === canonical);
  return is_own ? "is the orchestrator's own" : null;
}
