/** Where a stream of the events of all jobs begins: it gives those with a higher cursor. */
export const CURSOR_HEADER = "x-sealwork-cursor";
