import { randomBytes, randomUUIDv7 } from "node:crypto";
import type { Names } from "../core/dependencies.ts";
import type { SignInNames } from "../core/sign-ins.ts";

/** RFC 4648 base 32 in lower case: 32 signs, so that five random bits choose one without bias. */
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
const SANDBOX_ID_CHARS = 15;

export const systemNames: Names & SignInNames = {
  job_id: () => randomUUIDv7(),
  sandbox_id: () => `s${Array.from(randomBytes(SANDBOX_ID_CHARS), (byte) => BASE32[byte & 31]).join("")}`,
  secret: () => randomBytes(24).toString("base64url"),
  token_id: () => randomUUIDv7(),
  sign_in_secret: () => randomBytes(32).toString("base64url"),
};
