import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { JobRequestInput } from "../src/contract/job.ts";
import { call, finish, shell } from "./agents.ts";
import { seedBigJob } from "./big-job.ts";
import { REPOSITORY, type TestOrchestrator } from "./harness.ts";
import type { ScenarioInput } from "./models/scenario.ts";
import type { ModelServer } from "./models/server.ts";

/** As many jobs are at work as the samples leave open, so that the next one is queued. */
export const SAMPLE_CONCURRENCY = 5;
const STAYS_OPEN_S = 1_800;
const BIG_EVENTS = 6_000;
const BIG_OUTPUT_BYTES = 900_000;

/** Jobs of each kind that a dashboard can show; their ids. */
export type Samples = {
  big: string;
  report: string;
  failed: string;
  answered: string;
  cancelled: string;
  asks: string;
  desktop: string;
  page: string;
  runs: string;
  queued: string;
};

/** Has jobs run as people have them run, until each is at the place where it is looked at. */
export async function makeSamples(orchestrator: TestOrchestrator, models: ModelServer): Promise<Samples> {
  await orchestrator.stop();
  const big = await seedBigJob(orchestrator.data, { events: BIG_EVENTS, output_bytes: BIG_OUTPUT_BYTES });
  await orchestrator.restart();
  const schedule = (request: JobRequestInput) => orchestrator.schedule(request);
  const desktop = await schedule({
    prompt: await example("watch-me"),
    agent: "script",
    template: "desktop",
    linger_s: STAYS_OPEN_S,
    labels: { team: "web" },
  });
  const ended = [];
  for (const request of SHORT) ended.push(await schedule({ agent: "script", ...request }));
  const failed = await schedule({ prompt: await example("fails-halfway"), agent: "script" });
  models.play(ANSWERED, "gemini-2.5-flash");
  const answered = await schedule({
    prompt:
      "Which of our three suppliers got dearer this year?\n\nThe prices are in `prices.csv`. A table and one sentence will do.",
    model: "google/gemini-2.5-flash",
    labels: { team: "purchasing" },
    patch: true,
  });
  const report = await schedule({
    prompt: await example("sales-report"),
    agent: "script",
    labels: { team: "sales", quarter: "2026-q2" },
    patch: true,
  });
  await Promise.all([...ended, failed, answered, report].map((id) => orchestrator.ended(id)));

  const cancelled = await schedule({ prompt: COUNTS("Crawl the old wiki"), agent: "script" });
  await orchestrator.untilPrinted(cancelled, "page 3");
  await orchestrator.cancel(cancelled);
  await orchestrator.ended(cancelled);

  models.play(ASKS, "gemini-2.5-pro");
  const asks = await schedule({
    prompt: "Bring the exchange rates in `rates.json` up to date, and say which moved most.",
    model: "google/gemini-2.5-pro",
    approval: { policy: "always" },
    egress: { policy: "allow", hosts: [] },
    budget: { max_tokens: 400_000, max_cost_usd: 2 },
  });
  const page = await schedule({
    prompt: await example("live-page"),
    agent: "script",
    linger_s: STAYS_OPEN_S,
  });
  const runs = await schedule({
    prompt: COUNTS("Check every link of the handbook"),
    agent: "script",
    labels: { team: "docs" },
  });
  const trains = await schedule({ prompt: COUNTS("Train the small forecast again"), agent: "script" });
  await orchestrator.until(asks, ({ type }) => type === "approval.asked");
  await orchestrator.until(desktop, ({ type }) => type === "agent.waiting");
  await orchestrator.until(page, ({ type }) => type === "port.opened");
  await orchestrator.untilPrinted(runs, "page 3");
  await orchestrator.untilPrinted(trains, "page 3");
  const queued = await schedule({
    prompt: "# Nightly backup check\n\n```sh\necho fine\n```",
    agent: "script",
  });
  return { big, report, failed, answered, cancelled, asks, desktop, page, runs, queued };
}

function example(name: string): Promise<string> {
  return readFile(join(REPOSITORY, `examples/${name}.md`), "utf8");
}

const steps = (...blocks: string[]): string =>
  blocks.map((block) => `\`\`\`sh\n${block}\n\`\`\``).join("\n\n");

/** Jobs of a moment, which fill a list. */
const SHORT: readonly JobRequestInput[] = [
  { prompt: `# Rename the photos by date\n\n${steps("for n in 1 2 3; do echo photo-$n.jpg; done")}` },
  {
    prompt: `Count the words of each chapter\n\n${steps("echo 'one two three' > chapter.txt", "wc -w *.txt")}`,
    labels: { team: "docs" },
  },
  { prompt: `# Convert the minutes to HTML\n\n${steps("echo '<h1>Minutes</h1>' > minutes.html")}` },
  {
    prompt: `Find duplicate addresses in the customer list, and keep the newest of each\n\n${steps("echo 3 duplicates")}`,
    labels: { team: "sales" },
  },
  {
    prompt: `# Check the backup of Tuesday\n\n${steps("echo 'checksum differs' >&2; exit 2")}`,
    labels: { team: "ops" },
  },
  {
    prompt: `Draw the org chart as SVG\n\n${steps("echo '<svg xmlns=\"http://www.w3.org/2000/svg\"/>' > chart.svg")}`,
  },
  {
    prompt: `# Lint the handbook\n\n${steps("printf 'a\\nb\\n' > list.md", "grep -c . list.md")}`,
    labels: { team: "docs" },
  },
  { prompt: `Compare both price lists\n\n${steps("echo a > a; echo b > b", "diff a b || true")}` },
  { prompt: `# Prepare the mailing\n\n${steps("seq 1 40 > recipients.txt")}`, labels: { team: "sales" } },
  {
    prompt: `Make thumbnails of the product pictures, 320 pixels wide, and a page that shows them all\n\n${steps("mkdir thumbs")}`,
  },
];

/** A job that goes on for longer than anybody looks. */
function COUNTS(title: string): string {
  return `# ${title}

Prepare the list:

${steps("seq -f 'page %g' 1 4000 > pages.txt; wc -l pages.txt")}

Go through it:

${steps(`n=0
while read -r page; do
  n=$((n + 1))
  if [ $((n % 7)) = 0 ]; then printf '\\e[33mmoved\\e[0m  %s\\n' "$page"; else printf '\\e[32mok\\e[0m     %s\\n' "$page"; fi
  [ $n -gt 12 ] && sleep 2
done < pages.txt`)}
`;
}

const ANSWERED: ScenarioInput = {
  turns: [
    {
      when: { choice: "update_plan" },
      answer: call("update_plan", {
        steps: [
          { title: "Read the price list", state: "active" },
          { title: "Compare January with December" },
          { title: "Write the table" },
        ],
        files: ["dearer.md"],
        checks: [
          { title: "The table has three rows", command: "test $(grep -c '^| [A-Z]' dearer.md) -ge 3" },
        ],
      }),
    },
    {
      answer: {
        text: "There is no `prices.csv` yet, so I write down what you told me, and **check it** afterwards.",
        ...shell(
          "printf 'supplier,january,december\\nAlder,12.40,12.40\\nBirch,9.80,11.20\\nCedar,14.10,13.90\\n' | tee prices.csv",
        ),
      },
    },
    {
      answer: call("python", {
        code: "import csv\n\nrows = list(csv.DictReader(open('prices.csv')))\nfor row in rows:\n    row['change'] = float(row['december']) / float(row['january']) - 1\n    print(f\"{row['supplier']:8} {row['change']:+.1%}\")\nmax(rows, key=lambda row: row['change'])['supplier']",
      }),
    },
    {
      answer: shell(
        "curl -sS --max-time 5 https://telemetry.example.com/ping || echo 'no way out, as it should be'",
      ),
    },
    {
      answer: call("python", {
        code: "lines = ['| Supplier | January | December | Change |', '|---|---:|---:|---:|']\nlines += [f\"| {r['supplier']} | {r['january']} | {r['december']} | {r['change']:+.1%} |\" for r in rows]\nprint(open('dearer.md', 'w').write('\\n'.join(lines) + '\\n'), 'bytes')",
      }),
    },
    ...finish(
      "**Birch** got dearer: from 9.80 to 11.20, which is 14.3 %. Alder stayed the same, Cedar got a little cheaper.\n\nThe table is in `dearer.md`.",
    ),
  ],
};

const ASKS: ScenarioInput = {
  turns: [
    {
      when: { choice: "update_plan" },
      answer: call("update_plan", {
        steps: [
          { title: "Read the rates that are there", state: "active" },
          { title: "Get the rates of today" },
          { title: "Say which moved most" },
        ],
        files: ["rates.json"],
        checks: [],
      }),
    },
    {
      answer: {
        text: "The rates of today come from the **European Central Bank**; then I compare them with yours.",
        ...shell(
          "curl -sS https://api.frankfurter.dev/v1/latest -o today.json\njq -s '.[0].rates as $new | .[1] | to_entries' today.json rates.json",
        ),
      },
    },
    ...finish("The rates are up to date.", { last: "result" }),
  ],
};
