import { access, constants } from "node:fs/promises";

/** What an image with a desktop has (images/desktop). */
const FOLDER = "/opt/sealwork/desktop";
export const X_SERVER = `${FOLDER}/x-server`;
export const SESSION = `${FOLDER}/session`;
export const BROWSER = `${FOLDER}/browser`;

export function hasDesktop(): Promise<boolean> {
  return access(X_SERVER, constants.X_OK).then(
    () => true,
    () => false,
  );
}
