import picocolors from "picocolors";
import { AppError } from "../contract/errors.ts";
import { type Context, Interrupted } from "./context.ts";
import { EXIT, exitCodeOfError } from "./exit-code.ts";
import { mayColour } from "./io.ts";
import { jsonText, plainText } from "./terminal-text.ts";

/**
 * Tells what went wrong and gives the exit code for it: on stderr for people, with --json as the error document on
 * stdout. What is neither an AppError nor Ctrl-C is a fault of ours and is shown with its stack.
 */
export function reportError(context: Pick<Context, "io" | "json">, error: unknown): number {
  const { io, json } = context;
  if (error instanceof Interrupted) {
    io.stderr.write(`${error.message}\n`);
    return EXIT.interrupted;
  }
  const known = asAppError(error);
  if (json) io.stdout.write(`${jsonText(known.toBody())}\n`);
  else io.stderr.write(`${lines(context, known).join("\n")}\n`);
  if (!(error instanceof AppError) && known.code === "internal" && error instanceof Error) {
    io.stderr.write(`${plainText(error.stack ?? String(error))}\n`);
  }
  return exitCodeOfError(known.code);
}

function lines(context: Pick<Context, "io">, error: AppError): string[] {
  const colours = picocolors.createColors(mayColour(context.io, "stderr"));
  const text = [`${colours.red("error:")} ${plainText(error.message)}`];
  for (const detail of error.details ?? []) {
    if (error.message.includes(detail.msg)) continue;
    text.push(`  ${colours.bold(plainText(detail.loc.join(".")))}: ${plainText(detail.msg)}`);
  }
  if (error.hint !== undefined) text.push(`${colours.dim("→")} ${plainText(error.hint)}`);
  return text;
}

/** Errors of the file system come with a sentence of their own; all else is a fault of ours. */
function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof Error && "syscall" in error && "path" in error) {
    return new AppError({ code: "usage", message: error.message, cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new AppError({ code: "internal", message: `A fault of Sealwork: ${message}`, cause: error });
}
