const CODE_NAME = "sealwork-code";

/** A path with a one-time code in its query; what comes after `#` stays at the end. */
export function withCode(path: string, code: string): string {
  const [before = "", ...fragment] = path.split("#");
  const separator = before.includes("?") ? "&" : "?";
  return [`${before}${separator}${CODE_NAME}=${code}`, ...fragment].join("#");
}

/** The one-time code in a request's path, and the path without it, else byte for byte as it was. */
export function codeIn(url: string): { code: string | null; path: string } {
  const mark = url.indexOf("?");
  if (mark === -1) return { code: null, path: url };
  let code: string | null = null;
  const others = url
    .slice(mark + 1)
    .split("&")
    .filter((pair) => {
      if (!pair.startsWith(`${CODE_NAME}=`)) return true;
      code = pair.slice(CODE_NAME.length + 1);
      return false;
    });
  if (code === null) return { code: null, path: url };
  return { code, path: url.slice(0, mark) + (others.length === 0 ? "" : `?${others.join("&")}`) };
}
