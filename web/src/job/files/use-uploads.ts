import { useEffect, useRef, useState } from "react";
import { useToasts } from "../../ui/toasts.tsx";
import { below, fileAddress, type Place } from "./folders.ts";
import { type Dropped, uploadFile } from "./upload.ts";

export type Uploading = { name: string; number: number; of: number; sent_bytes: number; all_bytes: number };

type Uploads = {
  uploading: Uploading | null;
  send(folder: string, files: readonly Dropped[]): void;
  stop(): void;
};

/** Sends files into folders of a job, one after the other. */
export function useUploads(place: Place, onDone: () => void): Uploads {
  const { done, failed } = useToasts();
  const [uploading, setUploading] = useState<Uploading | null>(null);
  const stopping = useRef<AbortController | null>(null);
  useEffect(() => () => stopping.current?.abort(), []);

  const sendAll = async (folder: string, files: readonly Dropped[]): Promise<void> => {
    const stop = new AbortController();
    stopping.current?.abort();
    stopping.current = stop;
    const all_bytes = files.reduce((sum, { file }) => sum + file.size, 0);
    let before_bytes = 0;
    try {
      for (const [index, { path, file }] of files.entries()) {
        const tell = (sent_bytes: number): void =>
          setUploading({
            name: path,
            number: index + 1,
            of: files.length,
            sent_bytes: before_bytes + Math.min(sent_bytes, file.size),
            all_bytes,
          });
        tell(0);
        await uploadFile(fileAddress(place, below(folder, path)), file, {
          signal: stop.signal,
          onProgress: tell,
        });
        before_bytes += file.size;
      }
      done(files.length === 1 ? `Uploaded ${files[0]?.path}` : `Uploaded ${files.length} files`);
    } catch (error) {
      if (!stop.signal.aborted) failed(error);
    } finally {
      if (stopping.current === stop) setUploading(null);
      onDone();
    }
  };
  return {
    uploading,
    send: (folder, files) => {
      if (files.length > 0) void sendAll(folder, files);
    },
    stop: () => stopping.current?.abort(),
  };
}
