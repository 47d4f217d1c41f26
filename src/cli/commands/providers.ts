import picocolors from "picocolors";
import type { ProvidersAnswer } from "../../contract/api.ts";
import { type Context, connect, interruptible, print, printJson } from "../context.ts";
import { EXIT } from "../exit-code.ts";
import { mayColour } from "../io.ts";
import { NO_MODEL, NO_MODEL_HINT } from "../no-model.ts";
import { plainLine, textWidth } from "../terminal-text.ts";

/** `providers`: the providers of models that the server knows, and what a job works with when it names no model. */
export async function providers(context: Context): Promise<number> {
  using interrupt = interruptible(context.io);
  const client = await connect(context, { start: false, signal: interrupt.signal });
  const answer = await client.providers(interrupt.signal);
  if (context.json) await printJson(context, answer);
  else await print(context, lines(context, answer).join("\n"));
  return EXIT.complete;
}

function lines(context: Context, { providers: known, default_model }: ProvidersAnswer): string[] {
  const colours = picocolors.createColors(mayColour(context.io, "stdout"));
  if (known.length === 0) return [NO_MODEL, `${colours.dim("→")} ${NO_MODEL_HINT}`];
  const head = { name: "NAME", model: "DEFAULT MODEL", key: "KEY", url: "ADDRESS" };
  const rows = known.map((provider) => ({
    name: plainLine(provider.name),
    model: plainLine(provider.default_model ?? "none"),
    key: provider.has_key ? "set" : "none",
    url: plainLine(provider.base_url),
  }));
  const all = [head, ...rows];
  const width = (key: "name" | "model" | "key") => Math.max(...all.map((row) => textWidth(row[key])));
  const widths = { name: width("name"), model: width("model"), key: width("key") };
  const padded = (row: typeof head, key: keyof typeof widths) =>
    row[key] + " ".repeat(widths[key] - textWidth(row[key]));
  const table = all.map((row, index) => {
    const line = `${padded(row, "name")}  ${padded(row, "model")}  ${padded(row, "key")}  ${row.url}`;
    return index === 0 ? colours.dim(line) : line;
  });
  const chosen =
    default_model === null
      ? "No model is the default: give `--model`, or set default_model in config.json."
      : `Jobs that name no model take ${colours.bold(plainLine(default_model))}.`;
  return [...table, chosen];
}
