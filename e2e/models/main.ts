import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { Scenario } from "./scenario.ts";
import { ModelServer } from "./server.ts";

// For trials by hand: a provider of scripted models on a port, until it is interrupted.
const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    scenario: { type: "string" },
    key: { type: "string", default: "scripted-key" },
  },
});
if (values.scenario === undefined)
  throw new Error("--scenario FILE is missing; some lie in e2e/models/scenarios.");
const scenario = Scenario.parse(JSON.parse(await readFile(values.scenario, "utf8")));
await using server = await ModelServer.start({ port: Number(values.port), key: values.key });
const play = server.play(scenario);
console.log(`A scripted model answers. In the environment of Sealwork:

  GEMINI_API_KEY=${server.key} GOOGLE_GEMINI_BASE_URL=${server.url}
  OPENAI_API_KEY=${server.key} OPENAI_BASE_URL=${server.openai_url}
`);

const { promise: interrupted, resolve } = Promise.withResolvers<void>();
process.once("SIGINT", resolve).once("SIGTERM", resolve);
const known = { requests: 0, failures: 0 };
const watch = setInterval(() => {
  for (const { method, path, status } of server.recorded.slice(known.requests))
    console.log(method, path, status);
  for (const failure of play.failures.slice(known.failures)) console.log(failure);
  known.requests = server.recorded.length;
  known.failures = play.failures.length;
}, 500);
await interrupted;
clearInterval(watch);
