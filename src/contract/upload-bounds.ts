/** Files of one upload, beside its archive. */
export const INPUT_FILES_MAX = 10_000;
/** The whole body, in bytes. */
export const UPLOAD_MAX_BYTES = 2 * 1024 * 1024 * 1024;
