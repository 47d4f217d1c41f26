import type { StepContext } from "../tool.ts";

/** Pictures that a model is shown of one cell. */
const IMAGES_MAX = 4;
const IMAGE_MAX_BYTES = 2 * 1024 * 1024;
/** Of a value's text a model reads this much, and sees of HTML that there is some. */
const TEXT_MAX_CHARS = 32 * 1024;

/** The forms a value may come in, best first: what people see is the first that there is. */
const SHOWN = [
  "image/png",
  "image/jpeg",
  "image/svg+xml",
  "text/html",
  "text/markdown",
  "text/latex",
  "application/json",
  "text/plain",
];
const IN_BASE64 = new Set(["image/png", "image/jpeg"]);

/** What a cell shows beside its text: kept and said as events for people, described for the model. */
export class RichOutputs {
  readonly images: { mime: string; base64: string }[] = [];
  readonly #context: StepContext;

  constructor(context: StepContext) {
    this.#context = context;
  }

  /** Shows one value in its best form; returns what the model reads of it. */
  async show(data: Record<string, string>): Promise<string> {
    const plain = data["text/plain"] ?? null;
    const mime = SHOWN.find((one) => data[one] !== undefined);
    const value = mime === undefined ? undefined : data[mime];
    if (mime === undefined || value === undefined) return "(a value that cannot be shown)";
    const content = Buffer.from(value, IN_BASE64.has(mime) ? "base64" : "utf8");
    await this.#context.display({ mime, content, text: plain });
    const read = plain?.slice(0, TEXT_MAX_CHARS) ?? "";
    if (mime === "text/plain") return read;
    if (IN_BASE64.has(mime) && this.images.length < IMAGES_MAX && content.length <= IMAGE_MAX_BYTES)
      this.images.push({ mime, base64: value });
    return `[${mime}, ${content.length} bytes, shown to people] ${read}`.trimEnd();
  }
}
