import page from "../../../examples/live-page.md?raw";
import sales from "../../../examples/sales-report.md?raw";
import todo from "../../../examples/todo-app.md?raw";
import watch from "../../../examples/watch-me.md?raw";
import type { JobRequestInput } from "../../../src/contract/job.ts";

/** A task to try; `request` is all that it takes. */
export type ExampleTask = { name: string; title: string; about: string; request: JobRequestInput };

const LOOK_AROUND_S = 600;

/** Scripts, which need no model. */
export const SCRIPTS: readonly ExampleTask[] = [
  {
    name: "sales-report",
    title: "Make a report with a chart",
    about: "Python turns a table of sales into a page with figures and a chart. Takes a second.",
    request: { prompt: sales, agent: "script" },
  },
  {
    name: "live-page",
    title: "Serve a page on a port",
    about: "A small poll with a server of its own. Vote in it under Ports while the job stays open.",
    request: { prompt: page, agent: "script", linger_s: LOOK_AROUND_S },
  },
  {
    name: "watch-me",
    title: "Work on a desktop",
    about:
      "A browser on a screen that you watch and can take over. Its image is built once, in some minutes.",
    request: { prompt: watch, agent: "script", template: "desktop", linger_s: LOOK_AROUND_S },
  },
];

/** Plain words, for a model. */
export const SENTENCES: readonly ExampleTask[] = [
  {
    name: "todo-app",
    title: "Build a to-do app in React",
    about: "Planned, built and tested by the agent; the finished app is in the ZIP.",
    request: { prompt: todo, linger_s: LOOK_AROUND_S },
  },
  {
    name: "word-study",
    title: "Study the words of a story",
    about: "The agent writes a text, counts in it with Python, and draws a chart.",
    request: {
      prompt:
        "Write a short story of about 800 words. Count with Python which words begin its sentences most often, and leave the story, a table and a chart as an SVG.",
    },
  },
  {
    name: "typing-game",
    title: "Invent a typing game",
    about: "One page of HTML that you play under Ports when it is served.",
    request: {
      prompt:
        "Build a small typing game as one HTML file without any library: words fall, typing them removes them, there is a score. Serve it on port 8080 so that I can play it, and take one change of mind from me.",
      linger_s: LOOK_AROUND_S,
    },
  },
];
