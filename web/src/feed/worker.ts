import { systemTime } from "./feed-time.ts";
import { FeedTabs, type Port } from "./tabs.ts";

/** Runs once for all tabs of a browser, as a SharedWorker: browsers allow few connections to a host. */
const locks = "locks" in navigator ? navigator.locks : undefined;
const lock = locks === undefined ? null : `sealwork-feed-${crypto.randomUUID()}`;
const tabs = new FeedTabs({ fetch: (...given) => fetch(...given), time: systemTime, locks, lock });
const waiting: Port[] = [];
let ready = lock === null;

if (lock !== null)
  void locks?.request(lock, () => {
    ready = true;
    for (const port of waiting.splice(0)) tabs.add(port);
    // Held until this worker is gone.
    return new Promise(() => undefined);
  });

addEventListener("connect", (event) => {
  const [port] = (event as MessageEvent).ports;
  if (port === undefined) return;
  if (ready) tabs.add(port as Port);
  else waiting.push(port as Port);
});
