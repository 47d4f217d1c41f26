import clsx from "clsx";
import type { CSSProperties } from "react";
import { formatCount } from "../../../src/contract/units.ts";
import { readableColour } from "./readable-colour.ts";
import type { Span, TerminalLine } from "./terminal-line.ts";
import { PLAIN, paletteHex, type TerminalColour, type TextStyle } from "./text-style.ts";

/** One line of a terminal, in the colours of the theme. */
export function TerminalText({ line }: { line: TerminalLine }) {
  return (
    <>
      {line.spans.map((span, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the spans of a line have nothing else that tells them apart.
        <Piece key={index} span={span} />
      ))}
      {line.left_out > 0 && (
        <span className="ml-2 select-none rounded-sm bg-hover px-1 text-quiet">
          … {formatCount(line.left_out)} more characters on this line
        </span>
      )}
    </>
  );
}

/** The last lines of an output, as they stood in a terminal. */
export function TerminalLines({ lines }: { lines: readonly TerminalLine[] }) {
  return (
    <pre className="whitespace-pre-wrap text-xs [tab-size:8]">
      {Array.from(lines.entries(), ([place, line]) => (
        <div key={place} dir="ltr" className="untrusted min-h-[1.125rem]">
          <TerminalText line={line} />
        </div>
      ))}
    </pre>
  );
}

function Piece({ span: { text, style, stream } }: { span: Span }) {
  const unread = stream === "stderr" && style.foreground === null && !style.inverse;
  if (style === PLAIN) return unread ? <span className="text-(--color-term-1)">{text}</span> : text;
  return (
    <span
      style={colours(style)}
      className={clsx(
        style.bold && "font-semibold",
        style.faint && "opacity-75",
        style.italic && "italic",
        style.underline && "underline",
        style.struck && "line-through",
        unread && "text-(--color-term-1)",
      )}
    >
      {text}
    </span>
  );
}

function colours(style: TextStyle): CSSProperties {
  const { foreground, background, inverse } = style;
  if (inverse)
    return {
      color: background === null ? "var(--color-sunken)" : css(background),
      backgroundColor: foreground === null ? "var(--color-ink)" : css(foreground),
    };
  // A colour that can be read on the ground is one on which the ground's colour can be read.
  if (background !== null) return { color: "var(--color-sunken)", backgroundColor: css(background) };
  return foreground === null ? {} : { color: css(foreground) };
}

function css(colour: TerminalColour): string {
  if (typeof colour === "number" && colour < 16) return `var(--color-term-${colour})`;
  return readableColour(hexOf(colour));
}

function hexOf(colour: TerminalColour): string {
  return typeof colour === "number" ? paletteHex(colour) : colour;
}
