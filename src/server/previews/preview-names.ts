import { createHmac, timingSafeEqual } from "node:crypto";
import { PORT_MAX } from "../../contract/live.ts";
import type { PreviewTarget } from "./preview-kind.ts";

const LABEL_BYTES = 32;
const HALF = LABEL_BYTES / 2;
/** 32 bytes in base32; with the longest kind before it a name is 60 characters long, and DNS allows 63 (RFC 1035, 2.3.4). */
const LABEL_CHARS = 52;
const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

/**
 * The names of previews: `KIND-LABEL.BASE`. The label seals job and kind with a secret of this server (a synthetic IV and the id under
 * it, as in RFC 5297): it can be neither guessed nor read, differs for every preview, never comes again, and needs no table that a
 * restart would lose.
 */
export class PreviewNames {
  readonly #base: string;
  readonly #secret: string;

  /** `base` is the name below which previews are, in lower case. */
  constructor(options: { base: string; secret: string }) {
    this.#base = options.base;
    this.#secret = options.secret;
  }

  /** The name of a preview; the same one each time. */
  nameOf(job_id: string, target: PreviewTarget): string {
    const kind = prefixOf(target);
    const id = Buffer.from(job_id.replaceAll("-", ""), "hex");
    const seal = this.#half("seal", kind, id);
    const label = Buffer.concat([seal, masked(id, this.#half("mask", kind, seal))]);
    return `${kind}-${toBase32(label)}.${this.#base}`;
  }

  /** Whether a name has the form of a preview's, that of one that ended or never was included. */
  owns(name: string): boolean {
    return this.#parts(name) !== null;
  }

  /** What a name stands for; null for one that was not made here. */
  read(name: string): { job_id: string; target: PreviewTarget } | null {
    const parts = this.#parts(name);
    if (parts === null) return null;
    const label = fromBase32(parts.label);
    const seal = label.subarray(0, HALF);
    const id = masked(label.subarray(HALF), this.#half("mask", parts.kind, seal));
    if (!timingSafeEqual(seal, this.#half("seal", parts.kind, id))) return null;
    const job_id = id.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
    const target = targetOf(parts.kind);
    // The last character has bits to spare: of the names that they make, one is the preview's.
    return this.nameOf(job_id, target) === name ? { job_id, target } : null;
  }

  #parts(name: string): { kind: string; label: string } | null {
    if (!name.endsWith(`.${this.#base}`)) return null;
    const [, kind, label] = FORM.exec(name.slice(0, -this.#base.length - 1)) ?? [];
    if (kind === undefined || label === undefined) return null;
    return Number(kind.slice(1)) > PORT_MAX ? null : { kind, label };
  }

  #half(purpose: string, kind: string, content: Buffer): Buffer {
    const key = `${purpose} of ${kind}`;
    return createHmac("sha256", this.#secret).update(key).update(content).digest().subarray(0, HALF);
  }
}

const FORM = new RegExp(`^(p[1-9]\\d{0,4}|jupyter|desktop)-([${ALPHABET}]{${LABEL_CHARS}})$`);

function prefixOf(target: PreviewTarget): string {
  return target.kind === "port" ? `p${target.port}` : target.kind;
}

function targetOf(prefix: string): PreviewTarget {
  if (prefix === "jupyter" || prefix === "desktop") return { kind: prefix };
  return { kind: "port", port: Number(prefix.slice(1)) };
}

function masked(bytes: Buffer, mask: Buffer): Buffer {
  return Buffer.from(bytes.map((byte, index) => byte ^ (mask[index] ?? 0)));
}

function toBase32(bytes: Buffer): string {
  let text = "";
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += ALPHABET[(held >> (bits - 5)) & 31];
  }
  return text + ALPHABET[(held << (5 - bits)) & 31];
}

function fromBase32(text: string): Buffer {
  const bytes: number[] = [];
  let held = 0;
  let bits = 0;
  for (const char of text) {
    held = ((held << 5) | ALPHABET.indexOf(char)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >> bits) & 255);
  }
  return Buffer.from(bytes);
}
