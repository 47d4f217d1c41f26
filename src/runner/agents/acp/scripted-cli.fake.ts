import { writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";

/** An agent CLI for tests, a process of its own: speaks the Agent Client Protocol by hand, as the scene named by its argument has it. */
type Json = Record<string, unknown>;
type Turn = {
  text: string;
  number: number;
  update(update: Json): void;
  ask(method: string, params: Json): Promise<Json>;
  cancelled: Promise<void>;
};
type Scene = {
  initialize?: () => Json | null;
  begin?: () => Json;
  load?: (id: string, update: (update: Json) => void) => Json;
  turn?: (turn: Turn) => Promise<string>;
};

const SESSION = "session-1";
const said = (text: string, messageId?: string): Json => ({
  sessionUpdate: "agent_message_chunk",
  content: { type: "text", text },
  ...(messageId === undefined ? {} : { messageId }),
});
const shows = (text: string) => [{ type: "content", content: { type: "text", text } }];
const options = ["allow_always", "allow_once", "reject_once"].map((kind) => ({
  optionId: `id-${kind}`,
  name: kind,
  kind,
}));
const call = (toolCallId: string, more: Json): Json => ({ sessionUpdate: "tool_call", toolCallId, ...more });
const change = (toolCallId: string, more: Json): Json => ({
  sessionUpdate: "tool_call_update",
  toolCallId,
  ...more,
});
const never = new Promise<never>(() => undefined);
const crash = (code: number): never => process.exit(code);

function refuse(code: number, message: string, data?: unknown): never {
  throw Object.assign(new Error(message), { code, data });
}

let signed_in = false;
const scenes: Record<string, Scene> = {
  works: {
    async turn({ update, text }) {
      update(said("I will "));
      update(said("look first."));
      const plan = ["completed", "in_progress", "pending"].map((status) => ({
        content: `do ${status}`,
        priority: "high",
        status,
      }));
      update({ sessionUpdate: "plan", entries: plan });
      update(call("c1", { title: "bash", kind: "execute", status: "pending", rawInput: { cwd: "/" } }));
      update(
        change("c1", { title: "make it", status: "in_progress", rawInput: { command: "make\nmake test" } }),
      );
      update(change("c1", { content: shows("one\n") }));
      update(change("c1", { content: shows("one\ntwo\n") }));
      update(
        change("c1", {
          status: "completed",
          content: shows("one\ntwo\nthree"),
          rawOutput: { metadata: { exit: 3 } },
        }),
      );
      await writeFile("part.txt", "a\nnew\nc\n");
      const diff = { type: "diff", path: `${process.cwd()}/part.txt`, oldText: "old", newText: "new" };
      update(
        call("c2", {
          title: "Edit part.txt",
          kind: "edit",
          locations: [{ path: "part.txt" }],
          content: [diff],
        }),
      );
      update(change("c2", { status: "completed" }));
      update(
        call("c3", {
          title: "Fetch",
          kind: "fetch",
          status: "in_progress",
          rawInput: { url: "https://example.org" },
        }),
      );
      update(change("c3", { status: "failed", content: shows("refused") }));
      update(change("c3", { status: "completed" }));
      // As Codex and Claude Code tell what a command printed.
      const about = shows("[in the workspace] Lists it");
      update(call("c4", { title: "ls", kind: "execute", status: "in_progress", content: about }));
      update(change("c4", { status: "completed", rawOutput: { aggregated_output: "raw\n", exit_code: 0 } }));
      update(call("c5", { title: "cat", kind: "execute", status: "pending", content: shows("Shows it") }));
      update(change("c5", { status: "completed", content: shows("```sh\nfenced\n```") }));
      update(said(`Did: ${text}`));
      return "end_turn";
    },
  },
  asks: {
    async turn({ ask, update }) {
      update(said("May I?"));
      const toolCall = {
        toolCallId: "w",
        title: "Writing to a.txt",
        kind: "edit",
        status: "pending",
        locations: [{ path: `${process.cwd()}/a.txt` }],
        content: [
          {
            type: "diff",
            path: `${process.cwd()}/a.txt`,
            oldText: "",
            newText: "A\n",
            _meta: { kind: "add" },
          },
        ],
      };
      const { outcome } = await ask("session/request_permission", { options, toolCall });
      const { optionId } = outcome as { optionId?: string };
      if (optionId === "id-allow_once") {
        await writeFile("a.txt", "A\n");
        update(change("w", { ...toolCall, status: "completed" }));
      }
      update(said(`The answer was ${optionId ?? "none"}.`));
      return "end_turn";
    },
  },
  speechless: { turn: async () => 7 as unknown as string },
  stops: { turn: async ({ text }) => text },
  leaves: {
    async turn({ update }) {
      update(call("l", { title: "long", kind: "execute", status: "in_progress" }));
      return "end_turn";
    },
  },
  slow: {
    async turn({ update, cancelled }) {
      update(call("s", { title: "sleep", kind: "execute", status: "in_progress" }));
      await cancelled;
      update(change("s", { status: "failed", content: shows("cancelled by the client") }));
      return "cancelled";
    },
  },
  deaf: {
    async turn({ update }) {
      process.on("SIGTERM", () => undefined);
      update(call("s", { title: "sleep", kind: "execute", status: "in_progress" }));
      return never;
    },
  },
  crashes: {
    async turn({ update }) {
      update(call("s", { title: "risky", kind: "execute", status: "in_progress" }));
      await new Promise((resolve) =>
        process.stderr.write(`${"noise ".repeat(2000)}\u001b[31mout of luck\u001b[0m\n`, resolve),
      );
      return crash(7);
    },
  },
  "refuses-prompt": { turn: async () => refuse(-32603, "Internal error", { message: "the model is gone" }) },
  "dies-early": { initialize: () => crash(4) },
  hangs: { initialize: () => null },
  "old-protocol": { initialize: () => ({ protocolVersion: 99 }) },
  "signs-in": {
    initialize: () => ({
      protocolVersion: 1,
      authMethods: [
        { id: "oauth", name: "Browser" },
        { id: "some-api-key", name: "Key" },
      ],
    }),
    begin: () => (signed_in ? { sessionId: SESSION } : refuse(-32000, "Authentication required")),
    turn: async ({ update }) => {
      update(said("signed in"));
      return "end_turn";
    },
  },
  "wants-browser": {
    initialize: () => ({ protocolVersion: 1, authMethods: [{ id: "oauth", name: "Browser" }] }),
    begin: () => refuse(-32000, "Authentication required"),
  },
  remembers: {
    initialize: () => ({ protocolVersion: 1, agentCapabilities: { loadSession: true } }),
    load(id, update) {
      if (id !== SESSION) refuse(-32002, "Resource not found");
      update(said("an old message"));
      // The rest comes behind the answer, as with Gemini CLI; here as late as it can, when the next request is there.
      beforeNext = () => {
        update(call("old", { title: "old", kind: "execute", status: "completed" }));
        update(said("an old message, told late"));
      };
      return {};
    },
    async turn({ update, text, number }) {
      update(call(`n${number}`, { title: "ls", kind: "execute", status: "in_progress" }));
      if (text === "die") crash(9);
      update(change(`n${number}`, { status: "completed" }));
      update(said(text));
      return "end_turn";
    },
  },
  shows: {
    turn: async ({ update }) => {
      update(said([process.env.MODEL_URL, process.env.KEY, process.env.FROM_JOB, process.argv[3]].join(" ")));
      return "end_turn";
    },
  },
};

const name = process.argv[2] ?? "";
if (name === "prints") {
  for (;;) await new Promise((resolve) => process.stdout.write("Welcome to a chat!\n", resolve));
}
if (name === "greets") process.stdout.write("Welcome!\n[not json\n");
const scene = scenes[name === "greets" ? "works" : name];
if (scene === undefined) throw new Error(`There is no scene ${name}.`);

const cancel = Promise.withResolvers<void>();
const waiting = new Map<number, PromiseWithResolvers<Json>>();
let beforeNext = (): void => undefined;
let asked = 0;
let turns = 0;
const send = (message: Json): void =>
  void process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const update = (told: Json): void =>
  send({ method: "session/update", params: { sessionId: SESSION, update: told } });

function ask(method: string, params: Json): Promise<Json> {
  asked += 1;
  const answer = Promise.withResolvers<Json>();
  waiting.set(asked, answer);
  send({ id: asked, method, params: { sessionId: SESSION, ...params } });
  return answer.promise;
}

async function handle(method: string, params: Json): Promise<Json | null> {
  if (method === "initialize") return (scene?.initialize ?? (() => ({ protocolVersion: 1 })))();
  if (method === "session/new") return (scene?.begin ?? (() => ({ sessionId: SESSION })))();
  if (method === "session/load")
    return scene?.load?.(String(params.sessionId), update) ?? refuse(-32601, "No such method");
  if (method === "authenticate") {
    signed_in = params.methodId === "some-api-key";
    return {};
  }
  if (method !== "session/prompt") return refuse(-32601, "No such method");
  turns += 1;
  const text = (params.prompt as { text: string }[]).map((block) => block.text).join("");
  const turn = { text, number: turns, update, ask, cancelled: cancel.promise };
  return { stopReason: await (scene?.turn ?? (async () => "end_turn"))(turn) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line) as {
    id?: number;
    method?: string;
    params?: Json;
    result?: Json;
    error?: { message: string };
  };
  const { id, method, params = {} } = message;
  beforeNext();
  beforeNext = () => undefined;
  if (method === undefined && id !== undefined) {
    if (message.error === undefined) waiting.get(id)?.resolve(message.result ?? {});
    else waiting.get(id)?.reject(new Error(message.error.message));
  } else if (method === "session/cancel") cancel.resolve();
  else if (method !== undefined && id !== undefined) {
    handle(method, params).then(
      (result) => result !== null && send({ id, result }),
      (error: Error & { code?: number; data?: unknown }) =>
        send({ id, error: { code: error.code ?? -32603, message: error.message, data: error.data } }),
    );
  }
}
