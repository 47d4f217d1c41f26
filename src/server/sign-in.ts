import { createHash, timingSafeEqual } from "node:crypto";
import { AppError } from "../contract/errors.ts";

/** Judges `Authorization: Bearer TOKEN` (RFC 6750). Both sides are hashed, so the comparison tells neither content nor length. */
export function tokenCheck(token: string): (authorization: string | undefined) => void {
  const wanted = digest(token);
  return (authorization) => {
    const given = /^Bearer +([\x21-\x7e]+) *$/i.exec(authorization ?? "")?.[1];
    if (given !== undefined && timingSafeEqual(digest(given), wanted)) return;
    throw new AppError({
      code: "unauthorized",
      message: given === undefined ? "A token is needed." : "The token is not this server's.",
      hint: "Send `Authorization: Bearer TOKEN`; the token is in the file `token` of the server's data folder.",
    });
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
