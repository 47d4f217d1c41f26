// Apart from the schemas of events, which the runner must not build: it starts anew for every job.

/** An event is at most this large as JSON; what is larger is a blob, named by its SHA-256. */
export const EVENT_MAX_BYTES = 64 * 1024;
/** Text or raw bytes in one `step.output`; base64 and JSON escapes keep it below EVENT_MAX_BYTES. */
export const OUTPUT_CHUNK_MAX_BYTES = 8 * 1024;
/** Output kept of one job, in bytes; what comes after is dropped and said once by `limit.reached`. */
export const OUTPUT_MAX_BYTES = 64 * 1024 * 1024;
export const BLOB_MAX_BYTES = 16 * 1024 * 1024;
export const BLOBS_MAX_BYTES_PER_JOB = 256 * 1024 * 1024;
