export type ImageRef = {
  /** What the driver starts: a name with tag, or an id. */
  reference: string;
  /** The engine's content id, `sha256:…`. */
  digest: string;
};

/** Makes sure that images exist. */
export interface ImageSource {
  /**
   * Builds or pulls the image of a template when it is missing or its inputs changed. Concurrent calls for one image share one build.
   * `progress` gets lines for people. Throws AppError `image_missing` or `image_build_failed`.
   */
  ensure(
    template: { name: string; image: string; build: string | null },
    progress: (line: string) => void,
    signal: AbortSignal,
  ): Promise<ImageRef>;
}
