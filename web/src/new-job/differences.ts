import type { Draft } from "./draft.ts";
import { EGRESS_WORDS } from "./egress-words.ts";
import { hostsOf } from "./job-request.ts";

/** What a draft asks for beyond agent, model and template, in a few words each; empty when nothing. */
export function differencesOf(draft: Draft): string[] {
  const words: string[] = [];
  const say = (text: string, of: (text: string) => string): void => {
    if (text.trim() !== "") words.push(of(text.trim()));
  };
  say(draft.cpus, (cpus) => (cpus === "1" ? "1 CPU" : `${cpus} CPUs`));
  say(draft.memory, (size) => `${size} memory`);
  say(draft.disk, (size) => `${size} disk`);
  say(draft.pids, (count) => `${count} processes`);
  say(draft.timeout, (time) => `at most ${time}`);
  say(draft.idle_timeout, (time) => `${time} idle`);
  const hosts = hostsOf(draft.hosts).length;
  if (draft.egress !== "")
    words.push(draft.egress === "none" ? "no network" : EGRESS_WORDS[draft.egress].toLowerCase());
  if (hosts > 0) words.push(hosts === 1 ? "1 host" : `${hosts} hosts`);
  say(draft.max_tokens, (count) => `${count} tokens`);
  say(draft.max_cost, (dollars) => `$${dollars}`);
  say(draft.max_calls, (count) => `${count} model calls`);
  if (draft.approval !== "never")
    words.push(draft.approval === "risky" ? "asks before risks" : "asks before each step");
  say(draft.approval_timeout, (time) => `silence for ${time} means no`);
  say(draft.linger, (time) => `stays open ${time}`);
  counted(draft.env, "variable");
  counted(draft.labels, "label");
  say(draft.priority, (number) => `priority ${number}`);
  if (draft.patch) words.push("keeps a patch");
  return words;

  function counted(pairs: Draft["env"], noun: string): void {
    const count = pairs.filter(({ name }) => name.trim() !== "").length;
    if (count > 0) words.push(`${count} ${noun}${count === 1 ? "" : "s"}`);
  }
}
