import { createCipheriv, createHash } from "node:crypto";
import { TRAILER_GMAC, TRAILER_SHA256 } from "./link.ts";

/**
 * How a stream of the link is checked against what was sent. `gmac` is GMAC (NIST SP 800-38D) with a key of zeroes: 128 bits that find every
 * accident, at a twentieth of the work of SHA-256. Neither says anything about a sender who lies, since it makes content and sum alike.
 * `sha256` is what runners of link protocols 1 and 2 speak.
 */
export type StreamCheck = "gmac" | "sha256";

export const CHECK_TRAILERS: Record<StreamCheck, string> = { gmac: TRAILER_GMAC, sha256: TRAILER_SHA256 };

export type Sum = { update(chunk: Buffer): void; digest(): string };

/** A sum of bytes that come piece by piece; where they are cut makes no difference. */
export function sumOf(check: StreamCheck): Sum {
  if (check === "sha256") {
    const hash = createHash("sha256");
    return { update: (chunk) => void hash.update(chunk), digest: () => hash.digest("hex") };
  }
  const mac = createCipheriv("aes-128-gcm", Buffer.alloc(16), Buffer.alloc(12));
  return {
    update: (chunk) => void mac.setAAD(chunk),
    digest: () => {
      mac.final();
      return mac.getAuthTag().toString("hex");
    },
  };
}
