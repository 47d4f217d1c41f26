import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ChartColumn, LoaderCircle, Monitor, Play, Sparkles, Vote } from "lucide-react";
import { type ReactNode, useState } from "react";
import { scheduleJob } from "../api/jobs.ts";
import { providersQuery } from "../api/server.ts";
import seal from "../assets/seal.svg";
import { useToasts } from "../ui/toasts.tsx";
import { type ExampleTask, SCRIPTS, SENTENCES } from "./example-tasks.ts";

const ICONS: Record<string, ReactNode> = {
  "sales-report": <ChartColumn />,
  "live-page": <Vote />,
  "watch-me": <Monitor />,
};

/** What stands where no job is yet: what this is, and three tasks to try. */
export function FirstJobs() {
  const { data } = useQuery(providersQuery);
  const model = data?.default_model ?? null;
  return (
    <div className="flex-1 overflow-y-auto">
      <div className="mx-auto flex max-w-4xl flex-col px-5 py-10 sm:py-16">
        <img src={seal} alt="" className="size-12" />
        <h2 className="mt-5 text-balance font-semibold text-xl tracking-tight">
          Describe a task, watch it being done, get the result as a ZIP
        </h2>
        <p className="mt-2 max-w-2xl text-pretty text-base text-soft">
          Sealwork starts a sealed container for each job, and an agent works in it with a shell, Python,
          files and a desktop. You can watch and take over at any time; nothing in it reaches your machine or
          your keys.
        </p>
        {model !== null && <Examples title="Say it in plain words" tasks={SENTENCES} />}
        <Examples title={model === null ? "Try one of these" : "Or run a script"} tasks={SCRIPTS} />
        {data !== undefined && model === null && (
          <p className="mt-6 text-quiet text-sm">
            These are scripts, which run as they are written. With a model a sentence is enough: start the
            server with <code className="rounded-sm bg-sunken px-1 py-0.5 text-xs">GEMINI_API_KEY</code> or
            the key of another provider.
          </p>
        )}
      </div>
    </div>
  );
}

function Examples({ title, tasks }: { title: string; tasks: readonly ExampleTask[] }) {
  const [started, setStarted] = useState<string | null>(null);
  const navigate = useNavigate();
  const { failed } = useToasts();
  const start = async ({ name, request }: ExampleTask): Promise<void> => {
    setStarted(name);
    try {
      const { job_id } = await scheduleJob(request);
      await navigate({ to: "/job/$id", params: { id: job_id } });
    } catch (error) {
      failed(error);
      setStarted(null);
    }
  };
  return (
    <section aria-label={title} className="mt-8">
      <h3 className="font-medium text-quiet text-sm">{title}</h3>
      <ul className="mt-2 grid gap-3 sm:grid-cols-3">
        {tasks.map((task) => (
          <li key={task.name} className="flex">
            <button
              type="button"
              disabled={started !== null}
              onClick={() => void start(task)}
              className="group flex flex-1 flex-col items-start gap-1 rounded-lg border bg-panel p-4 text-left transition-colors hover:border-accent-line hover:bg-raised disabled:opacity-60"
            >
              <span aria-hidden className="mb-1 text-accent [&_svg]:size-5 [&_svg]:stroke-[1.75]">
                {ICONS[task.name] ?? <Sparkles />}
              </span>
              <span className="font-medium text-base">{task.title}</span>
              <span className="flex-1 text-pretty text-quiet text-sm">{task.about}</span>
              <span className="mt-2 flex items-center gap-1.5 font-medium text-accent text-sm">
                {started === task.name ? (
                  <LoaderCircle aria-hidden className="size-4 animate-spin" />
                ) : (
                  <Play aria-hidden className="size-4" />
                )}
                {started === task.name ? "Starting…" : "Run it"}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
