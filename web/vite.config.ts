import { join } from "node:path";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { compressedFiles } from "./build/compressed-files.ts";
import { firstPageCheck } from "./build/first-page.ts";

/** For `vite dev`: the orchestrator that answers everything but the pages. */
const API = "http://127.0.0.1:8000";

export default defineConfig({
  root: import.meta.dirname,
  plugins: [
    react(),
    tailwindcss(),
    firstPageCheck({
      modules: ["src/main.tsx", "src/jobs/jobs-page.tsx"],
      gzip_max_bytes: 250_000,
      later: ["@xterm/xterm", "@novnc/novnc", "@codemirror/view", "uplot"],
    }),
    compressedFiles(),
  ],
  resolve: {
    alias: {
      // What Markdown calls a character is looked up in a table: the form for browsers makes an element from text, which the page's policy forbids.
      "decode-named-character-reference": join(
        import.meta.dirname,
        "../node_modules/decode-named-character-reference/index.js",
      ),
    },
  },
  // The server puts another nonce there with every page.
  html: { cspNonce: "SEALWORK_NONCE" },
  build: {
    // The set-up builds into folders beside this one.
    outDir: "dist/by-hand",
    emptyOutDir: true,
    target: ["chrome123", "firefox121", "safari17.5"],
    // Policy lets images and fonts come from files of ours only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // What the page starts with is one file; by itself the bundler makes one of every part that some later file shares.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "start", tags: ["$initial"] }] } } },
    reportCompressedSize: false,
    // What the first page may weigh is checked above; the rest loads when it is used.
    chunkSizeWarningLimit: 1_000,
  },
  worker: { format: "es" },
  server: { proxy: { "^/(?!src|@|node_modules|index.html)": { target: API, ws: true } } },
});
