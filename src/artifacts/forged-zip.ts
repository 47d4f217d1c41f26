import { crc32, deflateRawSync } from "node:zlib";

export type ForgedEntry = {
  name: string;
  content?: Buffer | string;
  /** Raw bytes in place of the deflated content. */
  packed?: Buffer;
  unpacked_bytes?: number;
  crc?: number;
  mode?: number;
  flags?: number;
  method?: number;
  /** The number of an earlier entry whose bytes this one claims too. */
  same_as?: number;
};

/** A ZIP that says whatever a test wants it to say, for what no honest writer makes. */
export function forgeZip(entries: ForgedEntry[], options: { count?: number } = {}): Buffer {
  const parts: Buffer[] = [];
  const records: Buffer[] = [];
  const offsets: number[] = [];
  let offset = 0;
  for (const entry of entries) {
    const content = Buffer.from(entry.content ?? "");
    const packed = entry.packed ?? deflateRawSync(content);
    const name = Buffer.from(entry.name);
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt16LE(0x800 | (entry.flags ?? 0), 2);
    shared.writeUInt16LE(entry.method ?? 8, 4);
    shared.writeUInt16LE(0x21, 8);
    shared.writeUInt32LE(entry.crc ?? crc32(content), 10);
    shared.writeUInt32LE(packed.length, 14);
    shared.writeUInt32LE(entry.unpacked_bytes ?? content.length, 18);
    shared.writeUInt16LE(name.length, 22);
    const own_offset = entry.same_as === undefined ? offset : (offsets[entry.same_as] ?? 0);
    offsets.push(own_offset);
    const record = Buffer.alloc(46);
    record.writeUInt32LE(0x02014b50, 0);
    record.writeUInt16LE((3 << 8) | 63, 4);
    shared.copy(record, 6);
    record.writeUInt32LE(((entry.mode ?? 0o100644) << 16) >>> 0, 38);
    record.writeUInt32LE(own_offset, 42);
    records.push(record, name);
    if (entry.same_as !== undefined) continue;
    const local = Buffer.concat([Buffer.from([0x50, 0x4b, 3, 4]), shared, name, packed]);
    parts.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(records);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(options.count ?? entries.length, 8);
  end.writeUInt16LE(options.count ?? entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, directory, end]);
}

/** That many MiB of zeroes as a deflate stream, made without deflating them all. */
export function deflatedZeroes(mebibytes: number): Buffer {
  const flushed = deflateRawSync(Buffer.alloc(1024 * 1024), { finishFlush: 3 });
  return Buffer.concat([
    ...Array.from({ length: mebibytes }, () => flushed),
    deflateRawSync(Buffer.alloc(0)),
  ]);
}
