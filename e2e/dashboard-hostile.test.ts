import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Locator, Page } from "playwright-core";
import { call, finish, gemini, plan } from "./agents.ts";
import { TestDashboard } from "./dashboard.ts";
import { ModelServer } from "./models/server.ts";

const ELSEWHERE = "http://elsewhere.example";
/** What a page that runs it would show by a flag on its window. */
const flag = (name: string) => `window.hostile='${name}'`;
const MARKUP = `<script>${flag("script")}</script><img src=x onerror="${flag("image")}"><svg onload="${flag("svg")}">`;
const BIDI = "user\u202e\u2066nimda \u2069\u200badmin";
const MARKDOWN = [
  `[click](javascript:${flag("link")}) [data](data:text/html,${encodeURIComponent(MARKUP)}) [fine](https://example.org/a)`,
  `![tracker](${ELSEWHERE}/pixel.png) <iframe src="${ELSEWHERE}"></iframe> ${MARKUP}`,
  `[host](https://sealwork.localhost@elsewhere.example/) ${BIDI}`,
].join("\n\n");
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="60" height="40" onload="${flag("svg onload")}"><script>${flag("svg script")}</script><image href="${ELSEWHERE}/a.png" width="9" height="9"/><foreignObject width="9" height="9"><body xmlns="http://www.w3.org/1999/xhtml"><iframe src="${ELSEWHERE}/frame"></iframe></body></foreignObject><rect width="60" height="40" fill="teal"/></svg>`;

const STEPS = [
  String.raw`printf '%s\n' "$MARKUP"`,
  // Links, the clipboard, the title, another screen, cleared screens, device strings, an open string, moves, resets.
  String.raw`printf '\033]8;;https://elsewhere.example/\033\\link\033]8;;\033\\ \033]52;c;aG9zdGlsZQ==\007\033]0;owned\007\033[2J\033[H\033[?1049h\033P$q"p\033\\\033[9999;9999H\033c\033[5A after the tricks\n\033]0;open string\n'`,
  String.raw`printf '\033['; printf '1;%.0s' $(seq 1 6000); printf '31mhuge style\033[0m\n'; for i in $(seq 1 3000); do printf '\033[38;5;%sm.' $((i % 256)); done; echo`,
  String.raw`head -c 10000000 /dev/zero | tr '\0' x; echo; echo after the giant`,
  String.raw`printf 'nul\0byte \xff\xfe bytes\n'; printf '%s\n' "$BIDI"`,
  String.raw`echo a > "$(printf 'p\xd0\xb0ypal.txt')"; echo a > "$(printf 'a\xe2\x80\xaetxt.exe')"; echo a > '<img src=x onerror=window.hostile=1>.txt'`,
];

let models: ModelServer;
let dashboard: TestDashboard;
before(async () => {
  models = await ModelServer.start();
  dashboard = await TestDashboard.start({ environment: gemini(models) });
});
after(async () => {
  await dashboard[Symbol.asyncDispose]();
  await models[Symbol.asyncDispose]();
});

// What runs in the page is text here: tests know no types of browsers.
const WATCHES_POLICY = `
  window.violations = [];
  addEventListener("securitypolicyviolation", (event) => {
    window.violations.push(event.violatedDirective + " " + event.blockedURI);
  });`;
const STATE_OF_PAGE = `({
  hostile: window.hostile ?? null,
  violations: window.violations,
  frames: document.querySelectorAll("iframe, object, embed").length,
  made: document.querySelectorAll("[role=feed] script, [role=feed] [onerror], [role=feed] [onload]").length,
  title: document.title,
  links: [...document.querySelectorAll("a[href]")].map((link) => link.protocol),
})`;
/** What loads moves what is around it; so many frames without that are still. */
const STILL_FRAMES = 8;
/** Scrolls screen by screen, and from the end to the beginning again, until a step stands still in sight. */
const bringIntoSight = (number: number) => `(async () => {
  const feed = document.querySelector("[role=feed]");
  const found = () => [...feed.querySelectorAll("article[data-kind=step]")]
    .find((one) => one.querySelector("h3")?.textContent.startsWith("Step ${number},"));
  const frame = () => new Promise(requestAnimationFrame);
  for (let still = 0, before = null; still < ${STILL_FRAMES}; await frame()) {
    const step = found();
    if (step === undefined) {
      const at_end = feed.scrollTop + feed.clientHeight >= feed.scrollHeight - 1;
      feed.scrollTop = at_end ? 0 : feed.scrollTop + feed.clientHeight / 2;
      still = 0;
      continue;
    }
    const { top, height } = step.getBoundingClientRect();
    still = top + "/" + height === before ? still + 1 : 0;
    if (still === 0) step.scrollIntoView({ block: "nearest" });
    const now = step.getBoundingClientRect();
    before = now.top + "/" + now.height;
  }
})()`;
type PageState = {
  hostile: string | null;
  violations: string[];
  frames: number;
  made: number;
  title: string;
  links: string[];
};

/** A page of which is known what it asked for, and whether anything hostile had an effect. */
async function watched(path: string): Promise<{ page: Page; assertHarmless: () => Promise<void> }> {
  const page = await dashboard.context.newPage();
  const elsewhere: string[] = [];
  const happened: string[] = [];
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== "data:" && protocol !== "blob:" && origin !== dashboard.origin)
      elsewhere.push(request.url());
  });
  page.on("dialog", (dialog) => {
    happened.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("popup", (popup) => happened.push(`a window: ${popup.url()}`));
  page.on("download", (download) => happened.push(`a download: ${download.url()}`));
  await page.addInitScript(WATCHES_POLICY);
  await page.goto(`${dashboard.origin}${path}`);
  const address = page.url();
  return {
    page,
    assertHarmless: async () => {
      const state = await page.evaluate<PageState>(STATE_OF_PAGE);
      assert.equal(state.hostile, null, "no script of the sandbox ran");
      assert.deepEqual(state.violations, [], "nothing had to be stopped by the policy of the page");
      assert.deepEqual([state.frames, state.made], [0, 0], "nothing of the sandbox became an element");
      assert.doesNotMatch(state.title, /owned/);
      assert(state.links.every((protocol) => protocol === "http:" || protocol === "https:"));
      assert.deepEqual(elsewhere, [], "nothing was asked for elsewhere");
      assert.deepEqual(happened, []);
      assert.equal(page.url(), address);
    },
  };
}

async function assertWithin(inner: Locator, outer: Locator): Promise<void> {
  const [small, large] = [await inner.boundingBox(), await outer.boundingBox()];
  assert(small !== null && large !== null);
  assert(small.x >= large.x - 1 && small.x + small.width <= large.x + large.width + 1, "it stays in its box");
}

const step = (page: Page, number: number) =>
  page
    .locator("article[data-kind=step]")
    .filter({ has: page.getByRole("heading", { name: new RegExp(`^Step ${number},`) }) });

/** Items out of sight are not on the page, so it is scrolled to each. */
async function shown(page: Page, number: number): Promise<Locator> {
  const wanted = step(page, number);
  await page.getByRole("feed").locator("article").first().waitFor();
  await page.evaluate(bringIntoSight(number));
  return wanted;
}

test("whatever a script prints and names its files is shown as text, in its place, and does nothing", async () => {
  const { orchestrator } = dashboard;
  const fences = STEPS.map((code) => `\`\`\`sh\n${code}\n\`\`\`\n`).join("\n");
  const job_id = await orchestrator.schedule({
    prompt: `# ${MARKUP} ${BIDI}\n\n${fences}`,
    agent: "script",
    env: { MARKUP, BIDI },
    labels: { label: MARKUP },
  });
  await orchestrator.ended(job_id);
  const { page, assertHarmless } = await watched(`/job/${job_id}`);
  await (await shown(page, 1))
    .locator("pre", { hasText: flag("script") })
    .last()
    .waitFor();
  await page.getByRole("heading", { level: 1 }).getByText("user��nimda").waitFor();

  const tricks = await shown(page, 2);
  await tricks.getByText("link after the tricks", { exact: false }).waitFor();
  assert.equal(await tricks.getByRole("link").count(), 0);

  const styled = await shown(page, 3);
  await styled.getByText("huge style").waitFor();
  assert((await styled.locator("*").count()) < 2_000, "styles without end make elements with an end");

  const giant = await shown(page, 4);
  await giant.getByText("after the giant", { exact: true }).waitFor();
  await giant.getByText(/more characters on this line/).waitFor();
  assert(((await giant.textContent()) ?? "").length < 100_000);
  await giant.focus();
  await page.keyboard.press("o");
  const dialog = page.getByRole("dialog");
  await dialog.getByText("1", { exact: true }).waitFor();
  await dialog.getByText("after the giant", { exact: true }).waitFor();
  await page.keyboard.press("Escape");

  const bytes = await shown(page, 5);
  const turned = bytes.getByText("user‹U+202E›‹U+2066›nimda ‹U+2069›‹U+200B›admin");
  await assertWithin(turned, bytes.locator("pre").last());
  await bytes.getByText("nulbyte").waitFor();

  const files = await shown(page, 6);
  await files.getByRole("button", { name: "a‹U+202E›txt.exe" }).waitFor();
  await files.getByRole("button", { name: "<img src=x onerror=window.hostile=1>.txt" }).waitFor();
  await assertHarmless();
  await page.close();
});

test("rich outputs, messages and summaries of an agent are shown without what is in them to run, load or lead away", async () => {
  const { orchestrator } = dashboard;
  const python = [
    "from IPython.display import display, HTML, SVG, Markdown, Javascript, Latex",
    `display(HTML(${JSON.stringify(MARKUP)}))`,
    `display(SVG(data=${JSON.stringify(SVG)}))`,
    `display(Markdown(${JSON.stringify(MARKDOWN)}))`,
    `display(Javascript(${JSON.stringify(flag("javascript"))}))`,
    `display({"image/png": __import__("base64").b64encode(${JSON.stringify(`<html>${MARKUP}`)}.encode()).decode()}, raw=True)`,
    `display({"text/html; charset=<b>": ${JSON.stringify(MARKUP)}}, raw=True)`,
  ].join("\n");
  models.play(
    {
      turns: [
        plan([], ["<script>window.hostile=1</script>"]),
        { answer: { text: MARKDOWN, ...call("python", { code: python }) } },
        ...finish(MARKDOWN),
      ],
    },
    "hostile",
  );
  const job_id = await orchestrator.schedule({ prompt: MARKDOWN, model: "google/hostile", agent: "native" });
  const { page, assertHarmless } = await watched(`/job/${job_id}`);
  const end = page.locator("article[data-kind=end]");
  await end.getByText("The job is complete").waitFor({ timeout: 90_000 });
  await page.reload();
  const displayed = await shown(page, 1);
  await displayed
    .getByText(`<script>${flag("script")}</script>`)
    .first()
    .waitFor();
  const svg = displayed.getByRole("img", { name: "Shown by the step: image/svg+xml" });
  await svg.waitFor();
  assert.match((await svg.getAttribute("src")) ?? "", /^data:image\/svg\+xml/);
  await displayed.getByText("This is no picture that can be shown.").waitFor();

  const message = page.locator("article[data-kind=message]").first();
  await message.scrollIntoViewIfNeeded();
  const links = await page.evaluate(
    "[...document.querySelector('article[data-kind=message]').querySelectorAll('a')].map((link) => ['href', 'rel', 'target'].map((name) => link.getAttribute(name)))",
  );
  assert.deepEqual(links, [["https://example.org/a", "noopener noreferrer nofollow", "_blank"]]);
  await message.getByText("[picture: tracker]").waitFor();
  await assertHarmless();
  await page.close();
});
