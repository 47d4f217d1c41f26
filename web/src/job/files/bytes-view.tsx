import { useMemo } from "react";
import { ScrollRegion } from "./scroll-region.tsx";

const SHOWN_MAX_BYTES = 4096;
const ROW_BYTES = 16;

/** The beginning of what is no text, as bytes. */
export function BytesView({ bytes }: { bytes: Uint8Array }) {
  const rows = useMemo(() => hexRows(bytes.subarray(0, SHOWN_MAX_BYTES)), [bytes]);
  return (
    <ScrollRegion label="Bytes" className="p-4">
      <p className="pb-3 text-quiet text-sm">
        This is no text{bytes.length > SHOWN_MAX_BYTES && "; its first 4 KiB are shown"}.
      </p>
      <pre className="w-fit font-mono text-xs leading-5">{rows}</pre>
    </ScrollRegion>
  );
}

function hexRows(bytes: Uint8Array): string {
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += ROW_BYTES) {
    const row = [...bytes.subarray(at, at + ROW_BYTES)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·")).join("");
    rows.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(ROW_BYTES * 3 - 1)}  ${text}`);
  }
  return rows.join("\n");
}
