import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { cacheFolder } from "./cache-folder.ts";

// Kept before all else is loaded: with it a start takes two thirds of the time, and Node does not load its compiler of TypeScript, which
// takes 20 MB. Where the folder cannot be written everything works without it.
enableCompileCache(join(cacheFolder(process.env), "compiled"));
const { main } = await import("./main.ts");
await main();
