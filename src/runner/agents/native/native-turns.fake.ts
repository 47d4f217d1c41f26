import { after, before } from "node:test";
import { compileReaper } from "../../process/compiled-reaper.fake.ts";
import { type Given, nativeAgent } from "./native-agent-fixture.ts";
import { type Reply, ScriptedModel } from "./scripted-model.fake.ts";

/** What models of tests answer. */
export const plan = (checks: { title: string; command: string }[] = []): Reply => ({
  calls: [{ name: "update_plan", input: { steps: [{ title: "do it" }], files: ["a.txt"], checks } }],
});
export const shell = (command: string): Reply => ({ calls: [{ name: "shell", input: { command } }] });
export const done: Reply = { text: "Done." };

/** Test support: agents of one test file, whose processes run under a reaper that is compiled for it. To be called at its top. */
export function nativeTurns() {
  let reaper: Awaited<ReturnType<typeof compileReaper>>;
  before(async () => {
    reaper = await compileReaper();
  });
  after(() => reaper[Symbol.asyncDispose]());

  const agentWith = (model: ScriptedModel, given: Partial<Given> = {}) =>
    nativeAgent({ folder: reaper.folder, reaper_path: reaper.path, model, ...given });

  /** Runs a first turn and returns what came of it. */
  async function turn(
    script: Reply[] | ConstructorParameters<typeof ScriptedModel>[0],
    given: Partial<Given> = {},
  ) {
    const model = new ScriptedModel(script);
    await using agent = await agentWith(model, given);
    const end = await agent.conversation.turn("Write hello into a.txt");
    return { end, model, agent };
  }
  return { agentWith, turn };
}
