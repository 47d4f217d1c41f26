import type { AgentEnd } from "../../agent.ts";
import { failed } from "../../agent-end.ts";
import type { ModelAnswer } from "../model/model.ts";

const TEXT_MAX_CHARS = 500;

/** The end of an agent whose model, or its provider's filter, refuses to answer; null for any other answer. */
export function refusalOf({ finish, raw_finish, text }: ModelAnswer): AgentEnd | null {
  if (finish !== "content-filter") return null;
  const how = raw_finish === null ? "" : ` (${raw_finish})`;
  const said = text.trim() === "" ? "" : ` It said: ${text.trim().slice(0, TEXT_MAX_CHARS).toWellFormed()}`;
  return failed(`The model or its provider refused to answer${how}.${said}`);
}
