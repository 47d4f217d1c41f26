import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { crc32, createDeflateRaw, deflateRaw, deflateRawSync } from "node:zlib";
import type { NewFile } from "./durable-file.ts";
import { readChunks } from "./read-chunks.ts";

const deflateInThread = promisify(deflateRaw);

const UTF8_NAME = 1 << 11;
const SIZES_FOLLOW = 1 << 3;
const STORED = 0;
const DEFLATED = 8;
const MADE_BY_UNIX = (3 << 8) | 63;
const UINT16_MAX = 0xffff;
const UINT32_MAX = 0xffffffff;
/** Content up to this size is compressed in one piece, so that its header can say its sizes. */
const WHOLE_MAX_BYTES = 256 * 1024;
/** Up to this size a hop to another thread takes longer than the work, which is well under a millisecond. */
const AT_ONCE_MAX_BYTES = 16 * 1024;
/** What is that small needs no window of 32 KiB; the memory for it would be the larger part of the work. */
const AT_ONCE_OPTIONS = { windowBits: 14, memLevel: 6 };
/** Deflate may make incompressible content a little larger, so ZIP64 begins below its limit. */
const ZIP64_FROM_BYTES = 0xf0000000;
const DOS_MIN_S = Date.UTC(1980, 0, 1) / 1000;
const UNIX_MAX_S = 0x7fffffff;

export type ZipEntry = { path: string; mode: number; modified_at: Date };
/** `size_bytes` null: not known before. */
export type ZipContent = { size_bytes: number | null; chunks: AsyncIterable<Buffer> };

/**
 * Writes one ZIP, entry after entry, to a sink that is awaited: neither contents nor the list of entries are held in memory (the list waits
 * in `directory`, a temporary file, until the end). Names are UTF-8, `mode` is a Unix mode with its type, times are kept to the second, and
 * ZIP64 is used where sizes, offsets or the number of entries need it (PKWARE APPNOTE 6.3.10, sections 4.3 and 4.5.3).
 * The caller vouches for the paths.
 */
export class ZipWriter {
  readonly #sink: (chunk: Buffer) => Promise<void>;
  readonly #directory: NewFile;
  #offset = 0;
  #directory_bytes = 0;
  #entries = 0;

  constructor(sink: (chunk: Buffer) => Promise<void>, directory: NewFile) {
    this.#sink = sink;
    this.#directory = directory;
  }

  /** An entry with no content to stream: an empty file, a folder, a symlink with its target. */
  async addWhole(entry: ZipEntry, content: Buffer): Promise<void> {
    const packed = await deflated(content);
    const method = packed.length < content.length ? DEFLATED : STORED;
    const body = method === DEFLATED ? packed : content;
    const sizes = { crc: crc32(content), packed: body.length, unpacked: content.length };
    const offset = this.#offset;
    await this.#put(localHeader(entry, { method, sizes, zip64: false }));
    await this.#put(body);
    await this.#list(entry, { method, sizes, offset, flags: UTF8_NAME, zip64: false });
  }

  /** Streams a file. An error of the content fails the ZIP: what was written of it cannot be taken back. */
  async addFile(entry: ZipEntry, content: ZipContent, signal: AbortSignal): Promise<void> {
    const start = await takeStart(content.chunks);
    if (start.whole !== null) return await this.addWhole(entry, start.whole);
    const zip64 = content.size_bytes === null || content.size_bytes >= ZIP64_FROM_BYTES;
    const offset = this.#offset;
    await this.#put(localHeader(entry, { method: DEFLATED, sizes: null, zip64 }));
    const sizes = { crc: 0, packed: 0, unpacked: 0 };
    await pipeline(
      async function* () {
        for await (const chunk of start.all) {
          sizes.crc = crc32(chunk, sizes.crc);
          sizes.unpacked += chunk.length;
          yield chunk;
        }
      },
      createDeflateRaw(),
      async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) {
          sizes.packed += chunk.length;
          await this.#put(chunk);
        }
      },
      { signal },
    );
    await this.#put(dataDescriptor(sizes, zip64));
    await this.#list(entry, { method: DEFLATED, sizes, offset, flags: UTF8_NAME | SIZES_FOLLOW, zip64 });
  }

  /** Writes the list of entries; the ZIP is complete then. */
  async finish(): Promise<void> {
    await this.#directory.flush();
    const directory_offset = this.#offset;
    for await (const chunk of readChunks(this.#directory.path)) await this.#put(chunk);
    await this.#put(endOfDirectory(this.#entries, this.#directory_bytes, directory_offset));
  }

  async #put(chunk: Buffer): Promise<void> {
    if (chunk.length === 0) return;
    this.#offset += chunk.length;
    await this.#sink(chunk);
  }

  async #list(entry: ZipEntry, record: DirectoryRecord): Promise<void> {
    const bytes = directoryRecord(entry, record);
    this.#entries += 1;
    this.#directory_bytes += bytes.length;
    await this.#directory.write(bytes);
  }
}

async function deflated(content: Buffer): Promise<Buffer> {
  if (content.length === 0) return content;
  if (content.length <= AT_ONCE_MAX_BYTES) return deflateRawSync(content, AT_ONCE_OPTIONS);
  return await deflateInThread(content);
}

type Sizes = { crc: number; packed: number; unpacked: number };
type DirectoryRecord = { method: number; sizes: Sizes; offset: number; flags: number; zip64: boolean };

/** Reads ahead until it is clear whether the content is small; `all` gives everything, what was read included. */
async function takeStart(
  chunks: AsyncIterable<Buffer>,
): Promise<{ whole: Buffer; all: null } | { whole: null; all: AsyncIterable<Buffer> }> {
  const iterator = chunks[Symbol.asyncIterator]();
  const head: Buffer[] = [];
  let bytes = 0;
  while (bytes <= WHOLE_MAX_BYTES) {
    const next = await iterator.next();
    if (next.done === true) return { whole: Buffer.concat(head), all: null };
    head.push(next.value);
    bytes += next.value.length;
  }
  const rest: AsyncIterable<Buffer> = { [Symbol.asyncIterator]: () => iterator };
  return {
    whole: null,
    all: (async function* () {
      yield* head;
      yield* rest;
    })(),
  };
}

function localHeader(
  entry: ZipEntry,
  options: { method: number; sizes: Sizes | null; zip64: boolean },
): Buffer {
  const { sizes } = options;
  const name = Buffer.from(entry.path);
  const seconds = unixSeconds(entry.modified_at);
  const extra = Buffer.concat([timeExtra(seconds), options.zip64 ? zip64Extra([0, 0]) : Buffer.alloc(0)]);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(options.zip64 ? 45 : 20, 4);
  header.writeUInt16LE(sizes === null ? UTF8_NAME | SIZES_FOLLOW : UTF8_NAME, 6);
  header.writeUInt16LE(options.method, 8);
  header.writeUInt32LE(dosTime(seconds), 10);
  header.writeUInt32LE(sizes?.crc ?? 0, 14);
  header.writeUInt32LE(options.zip64 ? UINT32_MAX : (sizes?.packed ?? 0), 18);
  header.writeUInt32LE(options.zip64 ? UINT32_MAX : (sizes?.unpacked ?? 0), 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, name, extra]);
}

function dataDescriptor(sizes: Sizes, zip64: boolean): Buffer {
  const descriptor = Buffer.alloc(zip64 ? 24 : 16);
  descriptor.writeUInt32LE(0x08074b50, 0);
  descriptor.writeUInt32LE(sizes.crc, 4);
  if (zip64) {
    descriptor.writeBigUInt64LE(BigInt(sizes.packed), 8);
    descriptor.writeBigUInt64LE(BigInt(sizes.unpacked), 16);
  } else {
    descriptor.writeUInt32LE(sizes.packed, 8);
    descriptor.writeUInt32LE(sizes.unpacked, 12);
  }
  return descriptor;
}

function directoryRecord(entry: ZipEntry, { method, sizes, offset, flags, zip64 }: DirectoryRecord): Buffer {
  const name = Buffer.from(entry.path);
  const seconds = unixSeconds(entry.modified_at);
  const large = [sizes.unpacked, sizes.packed, offset].filter((value) => value >= UINT32_MAX);
  const extra = Buffer.concat([timeExtra(seconds), large.length === 0 ? Buffer.alloc(0) : zip64Extra(large)]);
  const record = Buffer.alloc(46);
  record.writeUInt32LE(0x02014b50, 0);
  record.writeUInt16LE(MADE_BY_UNIX, 4);
  record.writeUInt16LE(zip64 || large.length > 0 ? 45 : 20, 6);
  record.writeUInt16LE(flags, 8);
  record.writeUInt16LE(method, 10);
  record.writeUInt32LE(dosTime(seconds), 12);
  record.writeUInt32LE(sizes.crc, 16);
  record.writeUInt32LE(Math.min(sizes.packed, UINT32_MAX), 20);
  record.writeUInt32LE(Math.min(sizes.unpacked, UINT32_MAX), 24);
  record.writeUInt16LE(name.length, 28);
  record.writeUInt16LE(extra.length, 30);
  const dos_folder = entry.path.endsWith("/") ? 0x10 : 0;
  record.writeUInt32LE(((entry.mode << 16) | dos_folder) >>> 0, 38);
  record.writeUInt32LE(Math.min(offset, UINT32_MAX), 42);
  return Buffer.concat([record, name, extra]);
}

function endOfDirectory(entries: number, bytes: number, offset: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(entries, UINT16_MAX), 8);
  end.writeUInt16LE(Math.min(entries, UINT16_MAX), 10);
  end.writeUInt32LE(Math.min(bytes, UINT32_MAX), 12);
  end.writeUInt32LE(Math.min(offset, UINT32_MAX), 16);
  if (entries < UINT16_MAX && bytes < UINT32_MAX && offset < UINT32_MAX) return end;
  const end64 = Buffer.alloc(56 + 20);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(44n, 4);
  end64.writeUInt16LE(MADE_BY_UNIX, 12);
  end64.writeUInt16LE(45, 14);
  end64.writeBigUInt64LE(BigInt(entries), 24);
  end64.writeBigUInt64LE(BigInt(entries), 32);
  end64.writeBigUInt64LE(BigInt(bytes), 40);
  end64.writeBigUInt64LE(BigInt(offset), 48);
  end64.writeUInt32LE(0x07064b50, 56);
  end64.writeBigUInt64LE(BigInt(offset + bytes), 64);
  end64.writeUInt32LE(1, 72);
  return Buffer.concat([end64, end]);
}

/** The extended timestamp (Info-ZIP's "UT"), the modification time alone. */
function timeExtra(seconds: number): Buffer {
  const extra = Buffer.alloc(9);
  extra.writeUInt16LE(0x5455, 0);
  extra.writeUInt16LE(5, 2);
  extra.writeUInt8(1, 4);
  extra.writeUInt32LE(seconds, 5);
  return extra;
}

function zip64Extra(values: number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * values.length);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(8 * values.length, 2);
  for (const [index, value] of values.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * index);
  return extra;
}

function unixSeconds(time: Date): number {
  const seconds = Math.floor(time.getTime() / 1000);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, DOS_MIN_S), UNIX_MAX_S) : DOS_MIN_S;
}

/** Time in the low half, date in the high one, in UTC. */
function dosTime(seconds: number): number {
  const at = new Date(seconds * 1000);
  const time = (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1);
  const date = ((at.getUTCFullYear() - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate();
  return ((date << 16) | time) >>> 0;
}
