import { FeedTabs, type Port } from "./tabs.ts";

/** Runs once for all tabs of a browser, as a SharedWorker: browsers allow few connections to a host. */
const tabs = new FeedTabs((...given) => fetch(...given));

addEventListener("connect", (event) => {
  const [port] = (event as MessageEvent).ports;
  if (port !== undefined) tabs.add(port as Port);
});
