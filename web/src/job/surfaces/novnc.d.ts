/** What of noVNC 1.7 is used (its docs/API.md); it brings no types. */
declare module "@novnc/novnc" {
  class RFB extends EventTarget {
    constructor(target: Element, socket: WebSocket, options?: { shared?: boolean });
    viewOnly: boolean;
    background: string;
    scaleViewport: boolean;
    resizeSession: boolean;
    /** Presses and releases without `down`. */
    sendKey(keysym: number, code: string | null, down?: boolean): void;
    clipboardPasteFrom(text: string): void;
    toDataURL(type?: string, quality?: number): string;
    focus(): void;
    blur(): void;
    disconnect(): void;
  }

  // biome-ignore lint/style/noDefaultExport: the package has it so.
  export { RFB as default };
}
