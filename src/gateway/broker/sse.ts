import { StringDecoder } from "node:string_decoder";

/** An event that is longer is passed over; the last one of OpenAI's Responses API repeats the whole answer. */
const EVENT_MAX_CHARS = 16 * 1024 * 1024;

/** Takes Server-Sent Events apart, however they are cut into chunks, and hands on the data of each (WHATWG HTML, 9.2.6). */
export class SseParser {
  readonly #decoder = new StringDecoder("utf8");
  readonly #data: (data: string) => void;
  #line = "";
  #event: string[] = [];
  #line_chars = 0;
  #event_chars = 0;
  #afterReturn = false;

  constructor(data: (data: string) => void) {
    this.#data = data;
  }

  push(chunk: Buffer): void {
    this.#text(this.#decoder.write(chunk));
  }

  /** What was not ended by an empty line is handed on as well: some providers end their last event with the stream. */
  end(): void {
    this.#text(this.#decoder.end());
    this.#endLine();
    this.#endEvent();
  }

  #text(text: string): void {
    let start = 0;
    for (let i = 0; i < text.length; i += 1) {
      const char = text.charCodeAt(i);
      if (char !== 10 && char !== 13) {
        this.#afterReturn = false;
        continue;
      }
      // The second half of a CR LF, maybe of another chunk, ends no further line.
      if (char === 13 || !this.#afterReturn) {
        this.#append(text.slice(start, i));
        this.#endLine();
      }
      this.#afterReturn = char === 13;
      start = i + 1;
    }
    this.#append(text.slice(start));
  }

  #append(part: string): void {
    this.#line_chars += part.length;
    this.#event_chars += part.length;
    if (this.#event_chars <= EVENT_MAX_CHARS) this.#line += part;
    else {
      this.#line = "";
      this.#event = [];
    }
  }

  #endLine(): void {
    const line = this.#line;
    const empty = this.#line_chars === 0;
    this.#line = "";
    this.#line_chars = 0;
    if (empty) this.#endEvent();
    else if (line.startsWith("data:")) this.#event.push(line.slice(line[5] === " " ? 6 : 5));
  }

  #endEvent(): void {
    const whole = this.#event_chars <= EVENT_MAX_CHARS;
    const event = this.#event;
    this.#event = [];
    this.#event_chars = 0;
    if (whole && event.length > 0) this.#data(event.join("\n"));
  }
}
