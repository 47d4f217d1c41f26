import { after, before, test } from "node:test";
import { TestDashboard } from "./dashboard.ts";

let dashboard: TestDashboard;
before(async () => {
  dashboard = await TestDashboard.start();
});
after(() => dashboard[Symbol.asyncDispose]());

test("the list of jobs opens", async () => {
  const page = await dashboard.open();
  await page.getByRole("heading", { name: "Jobs" }).waitFor();
});
