import { isIPv6, type Socket, connect as tcpConnect } from "node:net";
import { AppError } from "../../contract/errors.ts";
import type { Registry } from "../../core/network.ts";
import type { Outbound } from "../../core/outbound.ts";
import { whyNotPublic } from "./address.ts";
import type { Lookups } from "./lookups.ts";
import { offTheList, overLimit, type Refusal, refused, unreachable } from "./refusal.ts";
import { findRegistry, isListed, type Target } from "./target.ts";
import type { Traffic } from "./traffic.ts";

/** Of the addresses of a name this many are tried, one after the other. */
const ADDRESSES_TRIED_MAX = 4;

/** Begins a connection to an address, which it must not resolve or change. */
export type Dial = (address: string, port: number) => Socket;

export const systemDial: Dial = (address, port) =>
  tcpConnect({
    host: address,
    port,
    family: isIPv6(address) ? 6 : 4,
    allowHalfOpen: true,
    noDelay: true,
    autoSelectFamily: false,
  });

export type Surroundings = {
  registries: () => Promise<readonly Registry[]>;
  lookups: Lookups;
  dial: Dial;
  /** The addresses of this machine, as they are now. */
  ownAddresses: () => string[];
  times: { lookup_ms: number; connect_ms: number; idle_ms: number };
};

/**
 * Connects to a target when the job may reach it: the host is looked for in what its policy lists, or a person is asked; then its name
 * is resolved, every address looked at, and one of exactly these connected to. `place` is given back when the socket closes.
 */
export async function reach(
  target: Target,
  job: { outbound: Outbound; traffic: Traffic },
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<Socket | Refusal> {
  const { outbound, traffic } = job;
  if (traffic.exhausted) return overLimit("The job has moved as many bytes as it may.");
  const place = traffic.begin();
  if (place === null) return overLimit("The job has as many connections open as it may.");
  let socket: Socket | null = null;
  try {
    const registries = await surroundings.registries();
    const registry = findRegistry(target, registries);
    const forbidden = await judge(target, registry, outbound, signal);
    if (forbidden !== null) return forbidden;
    const addresses = await resolve(target, outbound, surroundings, signal);
    if (!Array.isArray(addresses)) return addresses;
    const own = surroundings.ownAddresses();
    for (const address of registry?.own ? [] : addresses) {
      const why = whyNotPublic(address, own);
      if (why !== null)
        return refused("resolution", `${target.host} resolves to ${address}, which ${why}.`, ONLY_PUBLIC);
    }
    const reached = await connectFirst(target, addresses, surroundings, signal);
    if ("rule" in reached) return reached;
    socket = reached;
    socket.once("close", () => place[Symbol.dispose]());
    traffic.watch(socket);
    return socket;
  } finally {
    if (socket === null) place[Symbol.dispose]();
  }
}

const ONLY_PUBLIC =
  "Only public addresses can be reached; of others, the registries that this machine's own npm, pip and apt settings name.";

/** Whether the job may reach the target at all, before anybody knows where it lies. */
async function judge(
  target: Target,
  registry: Registry | null,
  outbound: Outbound,
  signal: AbortSignal,
): Promise<Refusal | null> {
  const { host, port } = target;
  const { policy, hosts } = outbound.egress;
  if (policy === "none") return offTheList(policy, target, false);
  if (target.kind === "address") {
    // A registry that the machine's settings give by its address has no name.
    if (registry?.own && (policy === "packages" || policy === "internet")) return null;
    return refused("address", `${host} is an address; hosts are reached by their names only.`);
  }
  if (policy === "internet" || isListed(target, hosts)) return null;
  if (policy === "packages" && registry !== null) return null;
  try {
    return (await outbound.askEgress(host, port, signal)) ? null : offTheList(policy, target, outbound.asks);
  } catch (error) {
    // A job that asks without end is refused as one that was told no.
    if (signal.aborted || !(error instanceof AppError)) throw error;
    return refused("approval", `${host}:${port} is not listed. ${error.message}`);
  }
}

async function resolve(
  { host, kind }: Target,
  job: object,
  { lookups, times }: Surroundings,
  signal: AbortSignal,
): Promise<string[] | Refusal> {
  if (kind === "address") return [host.replace(/^\[|\]$/g, "")];
  const late = AbortSignal.timeout(times.lookup_ms);
  try {
    const found = await lookups.resolve(host, job, AbortSignal.any([signal, late]));
    return found.length > 0 ? [...found] : unreachable(`The name ${host} has no address.`);
  } catch {
    // Whatever the resolver says (no such name, no answer) is the same to the one who asked.
    if (late.aborted) return unreachable(`The name ${host} was not resolved in time.`, 504);
    return unreachable(`The name ${host} cannot be resolved.`);
  }
}

async function connectFirst(
  { host, port }: Target,
  addresses: readonly string[],
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<Socket | Refusal> {
  let why: Refusal = unreachable(`${host} has no address.`);
  for (const address of addresses.slice(0, ADDRESSES_TRIED_MAX)) {
    const reached = await connect(address, port, surroundings, signal);
    if (typeof reached !== "string") return reached;
    why = unreachable(`${host}:${port} does not answer (${reached}).`, reached === "ETIMEDOUT" ? 504 : 502);
    if (signal.aborted) break;
  }
  return why;
}

/** A connection to this very address; the name of the error when there is none. */
async function connect(
  address: string,
  port: number,
  { dial, times }: Surroundings,
  signal: AbortSignal,
): Promise<Socket | string> {
  if (signal.aborted) return "ECANCELED";
  const socket = dial(address, port);
  const { promise, resolve: settle } = Promise.withResolvers<Socket | string>();
  const give_up = (why: string) => () => {
    settle(why);
    socket.destroy();
  };
  const abort = give_up("ECANCELED");
  const timer = setTimeout(give_up("ETIMEDOUT"), times.connect_ms);
  signal.addEventListener("abort", abort, { once: true });
  // Stays for the socket's life: whoever uses it learns of the error by its close.
  socket.on("error", (error: NodeJS.ErrnoException) => settle(error.code ?? "failed"));
  socket.once("connect", () => settle(socket));
  const reached = await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", abort);
  if (typeof reached !== "string") reached.setTimeout(times.idle_ms, () => reached.destroy());
  return reached;
}
