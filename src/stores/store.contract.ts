import { describe } from "node:test";
import type { Store } from "../core/store.ts";
import { testEvents, testRunnerEvents } from "./store-events.contract.ts";
import { testJobs, testList, testRetention } from "./store-jobs.contract.ts";
import { testSignIns } from "./store-sign-ins.contract.ts";

type OpenStore = (options: { clock: () => Date }) => Promise<Store>;

/** What every store must do, whatever it is made of. `open` gives an empty one each time; the suite disposes it. */
export function testStore(name: string, open: OpenStore): void {
  const openNow = () => open({ clock: () => new Date("2026-06-01T00:00:00.000Z") });
  describe(`${name}: events`, () => testEvents(openNow));
  describe(`${name}: events of a runner`, () => testRunnerEvents(openNow));
  describe(`${name}: jobs`, () => testJobs(openNow));
  describe(`${name}: the list of jobs`, () => testList(openNow));
  describe(`${name}: sign-ins`, () => testSignIns(openNow));
  describe(`${name}: retention`, () => testRetention(openNow));
}
