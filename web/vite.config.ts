import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** For `vite dev`: the orchestrator that answers everything but the pages. */
const API = "http://127.0.0.1:8000";

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), tailwindcss()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: ["chrome123", "firefox121", "safari17.5"],
    // Policy lets images and fonts come from files of ours only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: true,
    reportCompressedSize: false,
  },
  worker: { format: "es" },
  server: { proxy: { "^/(?!src|@|node_modules|index.html)": { target: API, ws: true } } },
});
