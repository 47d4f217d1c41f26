import { useEffect, useState } from "react";
import { request } from "../../api/request.ts";

type Loaded = { address: string | null; error: unknown };
const NOTHING: Loaded = { address: null, error: null };

/** Loads a file into this page and gives it an address here, as a type that the caller has decided on. The old one is kept until the next one is there. */
export function useBlobAddress(path: string | null, type: string): Loaded {
  const [loaded, setLoaded] = useState<Loaded>(NOTHING);
  useEffect(() => {
    if (path === null) {
      setLoaded(NOTHING);
      return;
    }
    const gone = new AbortController();
    request(path, { signal: gone.signal })
      .then(async (answer) => {
        const blob = new Blob([await answer.arrayBuffer()], { type });
        if (!gone.signal.aborted) setLoaded({ address: URL.createObjectURL(blob), error: null });
      })
      .catch((error: unknown) => {
        if (!gone.signal.aborted) setLoaded({ address: null, error });
      });
    return () => gone.abort();
  }, [path, type]);
  const { address } = loaded;
  useEffect(() => {
    if (address !== null) return () => URL.revokeObjectURL(address);
  }, [address]);
  return loaded;
}
