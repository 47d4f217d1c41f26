/** Who looks at a desktop from this tab: `viewer` names it to the server, `name` is what others see. */
export type Viewer = { viewer: string; name: string };

const VIEWER_KEY = "sealwork.viewer";
const NAME_KEY = "sealwork.name";
const NAME_MAX_CHARS = 100;
const DEFAULT_NAME = "Dashboard";

/** The viewer id is kept for the tab, so that a reload is the same viewer; the name for the browser. */
export function thisViewer(): Viewer {
  let viewer = sessionStorage.getItem(VIEWER_KEY);
  if (viewer === null) {
    viewer = crypto.randomUUID();
    sessionStorage.setItem(VIEWER_KEY, viewer);
  }
  return { viewer, name: viewerName() };
}

export function viewerName(): string {
  return plainName(localStorage.getItem(NAME_KEY) ?? "") || DEFAULT_NAME;
}

export function setViewerName(name: string): void {
  const plain = plainName(name);
  if (plain === "") localStorage.removeItem(NAME_KEY);
  else localStorage.setItem(NAME_KEY, plain);
}

/** As the contract takes it: one line, without what could move the text around it. */
function plainName(name: string): string {
  return name
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, "")
    .slice(0, NAME_MAX_CHARS)
    .trim();
}
