import assert from "node:assert/strict";
import { test } from "node:test";
import { EscapeKeys } from "./escape-keys.ts";

function typed(...keys: string[]): { sent: string; left: boolean } {
  const escapes = new EscapeKeys();
  let sent = "";
  for (const each of keys) {
    const { send, left } = escapes.type(Buffer.from(each));
    sent += send.toString();
    if (left) return { sent, left };
  }
  return { sent, left: false };
}

test("~. at the beginning of a line leaves, also typed in two, and nowhere else", () => {
  assert.deepEqual(typed("~."), { sent: "", left: true });
  assert.deepEqual(typed("ls\r", "~", "."), { sent: "ls\r", left: true });
  assert.deepEqual(typed("ls\n~.more"), { sent: "ls\n", left: true });
  assert.deepEqual(typed("cd ~.", "\r"), { sent: "cd ~.\r", left: false });
});

test("a tilde that leaves nothing arrives: with what follows it, and doubled as one", () => {
  assert.deepEqual(typed("~", "/bin\r"), { sent: "~/bin\r", left: false });
  assert.deepEqual(typed("~~.\r"), { sent: "~.\r", left: false });
  assert.deepEqual(typed("\r~\r~."), { sent: "\r~\r", left: true });
});
