type TrustedTypes = {
  createPolicy(name: string, rules: Record<"createHTML" | "createScriptURL", (text: string) => string>): void;
};

const SCRIPTS = "/assets/";

/**
 * Fits the page to the Content-Security-Policy that it came with: scripts are never made from text, workers come from the build alone, and
 * every style sheet that a library writes bears the nonce of the page. Called once, before anything is shown.
 */
export function obeyPagePolicy(): void {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  trustedTypes?.createPolicy("default", { createHTML: onlyText, createScriptURL: onlyOwnScript });
  const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce;
  if (nonce !== undefined) markStyles(nonce);
}

/** Libraries fill style elements as if they were HTML; what has no markup makes nothing but text. */
function onlyText(text: string): string {
  if (/[<&]/.test(text)) throw new TypeError("This page makes no elements from text.");
  return text;
}

function onlyOwnScript(text: string): string {
  const url = URL.parse(text, location.href);
  if (url === null || url.origin !== location.origin || !url.pathname.startsWith(SCRIPTS))
    throw new TypeError("This page runs scripts of its own build only.");
  return url.href;
}

/** The terminal's library has no setting for the nonce, so every style element gets it where it is made. */
function markStyles(nonce: string): void {
  const create = document.createElement.bind(document);
  const createMarked = (tag: string, options?: ElementCreationOptions): HTMLElement => {
    const element = create(tag, options);
    if (element instanceof HTMLStyleElement) element.nonce = nonce;
    return element;
  };
  document.createElement = createMarked as typeof document.createElement;
}
