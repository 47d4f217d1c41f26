import { useEffect, useState } from "react";
import { ApiError, request } from "../../api/request.ts";

/** What is loaded of a file at a time. */
export const PART_BYTES = 1024 * 1024;
/** More of one file is not held by this page; it can be downloaded. */
export const SHOWN_MAX_BYTES = 16 * PART_BYTES;

export type Content = {
  bytes: Uint8Array<ArrayBuffer>;
  /** Of the whole file. */
  size_bytes: number;
  /** Null for what is no UTF-8. */
  text: string | null;
};

type Loading = { content: Content | null; error: unknown; busy: boolean };

/** The beginning of a file, and more of it when that is asked for. While it is loaded anew the old one is shown. */
export function useFileContent(
  address: string,
): Loading & { more: (() => void) | null; renew(): void; replace(text: string): void } {
  const [loading, setLoading] = useState<Loading>({ content: null, error: null, busy: true });
  // Another one each time that it is to be loaded.
  const [wanted, setWanted] = useState({ bytes: PART_BYTES });
  useEffect(() => {
    const gone = new AbortController();
    setLoading((old) => ({ ...old, busy: true }));
    loadStart(address, wanted.bytes, gone.signal).then(
      (content) => !gone.signal.aborted && setLoading({ content, error: null, busy: false }),
      (error: unknown) =>
        !gone.signal.aborted && setLoading((old) => ({ content: old.content, error, busy: false })),
    );
    return () => gone.abort();
  }, [address, wanted]);
  const { content } = loading;
  const loaded = content?.bytes.length ?? 0;
  const has_more = content !== null && loaded < Math.min(content.size_bytes, SHOWN_MAX_BYTES);
  return {
    ...loading,
    more: has_more && !loading.busy ? () => setWanted({ bytes: loaded + PART_BYTES }) : null,
    renew: () => setWanted({ ...wanted }),
    replace: (text) => {
      const bytes = new TextEncoder().encode(text);
      setLoading({ content: { bytes, size_bytes: bytes.length, text }, error: null, busy: false });
    },
  };
}

async function loadStart(address: string, wanted_bytes: number, signal: AbortSignal): Promise<Content> {
  let answer: Response;
  try {
    answer = await request(address, { headers: { range: `bytes=0-${wanted_bytes - 1}` }, signal });
  } catch (error) {
    // An empty file has no first byte.
    if (error instanceof ApiError && error.status === 416)
      return { bytes: new Uint8Array(), size_bytes: 0, text: "" };
    throw error;
  }
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const [, whole] = /\/(\d+)$/.exec(answer.headers.get("content-range") ?? "") ?? [];
  const size_bytes = whole === undefined ? bytes.length : Number(whole);
  return { bytes, size_bytes, text: textOf(bytes, bytes.length < size_bytes) };
}

/** A part may end in the middle of a character. */
function textOf(bytes: Uint8Array, cut: boolean): string | null {
  if (bytes.includes(0)) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: cut });
  } catch {
    return null;
  }
}
