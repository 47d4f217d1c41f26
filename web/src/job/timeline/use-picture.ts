import { useEffect, useState } from "react";
import { request } from "../../api/request.ts";

export type Picture =
  | { kind: "loading" }
  | { kind: "shown"; address: string }
  | { kind: "none"; why: string };

const SVG_MAX_BYTES = 2 * 1024 * 1024;
const LOADING: Picture = { kind: "loading" };

/**
 * A picture that a sandbox made, from its blob: shown only as what its first bytes say it is, whatever it calls itself. An SVG becomes a `data:`
 * address, which an image element shows without running or loading anything, and which no tab opens as a page of ours.
 */
export function usePicture(path: string, mime: string): Picture {
  const [picture, setPicture] = useState<Picture>(LOADING);
  useEffect(() => {
    const gone = new AbortController();
    let address: string | null = null;
    const load = async (): Promise<void> => {
      const answer = await request(path, { signal: gone.signal });
      const bytes = new Uint8Array(await answer.arrayBuffer());
      if (gone.signal.aborted) return;
      const type = pictureType(bytes);
      if (type !== null) address = URL.createObjectURL(new Blob([bytes], { type }));
      else if (mime === "image/svg+xml" && bytes.length <= SVG_MAX_BYTES) address = svgAddress(bytes);
      setPicture(
        address === null
          ? { kind: "none", why: "This is no picture that can be shown." }
          : { kind: "shown", address },
      );
    };
    load().catch(() => {
      if (!gone.signal.aborted) setPicture({ kind: "none", why: "The picture could not be loaded." });
    });
    return () => {
      gone.abort();
      if (address?.startsWith("blob:")) URL.revokeObjectURL(address);
      setPicture(LOADING);
    };
  }, [path, mime]);
  return picture;
}

const SIGNATURES: readonly { type: string; bytes: readonly (number | null)[] }[] = [
  { type: "image/png", bytes: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] },
  { type: "image/jpeg", bytes: [0xff, 0xd8, 0xff] },
  { type: "image/gif", bytes: [0x47, 0x49, 0x46, 0x38] },
  {
    type: "image/webp",
    bytes: [0x52, 0x49, 0x46, 0x46, null, null, null, null, 0x57, 0x45, 0x42, 0x50],
  },
];

function pictureType(content: Uint8Array): string | null {
  const found = SIGNATURES.find(({ bytes }) =>
    bytes.every((byte, index) => byte === null || content[index] === byte),
  );
  return found?.type ?? null;
}

function svgAddress(bytes: Uint8Array): string {
  return `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new TextDecoder().decode(bytes))}`;
}
