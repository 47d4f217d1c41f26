import assert from "node:assert/strict";
import { test } from "node:test";
import type { Job } from "../../../src/contract/job.ts";
import { ENDED, job } from "./job-fixture.ts";
import { isListed, type JobPages, withChanged, withJob, withNewest } from "./job-lists.ts";

/** Pages of jobs by their numbers; the last one ends the list unless there are `more`. */
function list(pages: number[][], { more = false } = {}): JobPages {
  return {
    pages: pages.map((numbers, at) => ({
      jobs: numbers.map((n) => job(n)),
      next_cursor: more || at < pages.length - 1 ? `after ${numbers.at(-1)}` : null,
    })),
    pageParams: pages.map((_, at) => (at === 0 ? "" : `page ${at}`)),
  };
}

const numbers = ({ pages }: JobPages) =>
  pages.map(({ jobs }) => jobs.map(({ prompt }) => Number(prompt.slice(5))));
const end = (old: Job): Job => ({ ...old, ...ENDED });

test("a job comes to the place of its age", () => {
  const known = list([
    [9, 7],
    [5, 3],
  ]);
  assert.deepEqual(numbers(withJob(known, job(10))), [
    [10, 9, 7],
    [5, 3],
  ]);
  assert.deepEqual(numbers(withJob(known, job(8))), [
    [9, 8, 7],
    [5, 3],
  ]);
  assert.deepEqual(numbers(withJob(known, job(6))), [
    [9, 7],
    [6, 5, 3],
  ]);
  assert.deepEqual(numbers(withJob(known, job(1))), [
    [9, 7],
    [5, 3, 1],
  ]);
  assert.deepEqual(numbers(withJob(list([[]]), job(1))), [[1]]);
  assert.equal(withJob(known, job(7)), known, "one that is there stays");
});

test("a job of a part that is not loaded yet is left to be loaded", () => {
  const known = list([[9, 7]], { more: true });
  assert.equal(withJob(known, job(3)), known);
});

test("jobs of the same millisecond are ordered by their ids, as the store does it", () => {
  const same = { timings: job(5).timings };
  const known = { pages: [{ jobs: [job(7, same), job(5, same)], next_cursor: null }], pageParams: [""] };
  assert.deepEqual(numbers(withJob(known, job(6, same))), [[7, 6, 5]]);
});

test("a job that no longer has the status of a list leaves it, and changes in others", () => {
  const known = list([[9, 7], [5]]);
  const running = withChanged(known, job(7).job_id, { change: end, filter: { status: "running" } });
  assert.deepEqual(numbers(running), [[9], [5]]);
  const all = withChanged(known, job(7).job_id, {
    change: end,
    filter: { text: "gone from what the list keeps" },
  });
  assert.equal(all.pages[0]?.jobs[1]?.status, "complete");
  assert.equal(withChanged(known, job(1).job_id, { change: end, filter: {} }), known);
});

test("the newest jobs are put in front, unless others may lie between", () => {
  const known = list([[5, 4], [3]]);
  const page = (...of: number[]) => ({ jobs: of.map((n) => job(n)), next_cursor: "more" });
  assert.deepEqual(numbers(withNewest(known, page(7, 6, 5)) ?? known), [[7, 6, 5, 4], [3]]);
  assert.equal(withNewest(known, page(9, 8)), null);
  assert.deepEqual(numbers(withNewest(list([[]]), { jobs: [job(1)], next_cursor: null }) ?? known), [[1]]);
});

test("a filter is obeyed as the store does it", () => {
  const one = job(1, { prompt: "Straße der ŽLUŤ", labels: { team: "a", toString: "b", bare: "" } });
  for (const filter of [
    {},
    { status: "running" },
    { text: "STRASSE" },
    { text: "žluť" },
    { label: "team" },
    { label: "team=a" },
    { label: "bare=" },
    { status: "running", text: "der", label: "bare" },
  ] as const)
    assert.equal(isListed(one, filter), true, JSON.stringify(filter));
  for (const filter of [
    { status: "complete" },
    { text: "strasen" },
    { label: "team=b" },
    { label: "valueOf" },
    { label: "team", text: "no" },
  ] as const)
    assert.equal(isListed(one, filter), false, JSON.stringify(filter));
});
