import { reportError } from "../cli/error-report.ts";
import { createIo } from "../cli/io.ts";
import { runProgram } from "../cli/program.ts";
import { createLocalServer } from "./local-server.ts";
import { readSettings } from "./settings.ts";

const io = createIo(process);
try {
  const local = createLocalServer(readSettings(process.env));
  await runProgram(process.argv.slice(2), io, local);
} catch (error) {
  process.exitCode = reportError({ io, json: process.argv.includes("--json") }, error);
}
