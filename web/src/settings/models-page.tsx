import { useQuery } from "@tanstack/react-query";
import { CircleCheck, CircleDashed } from "lucide-react";
import type { ReactNode } from "react";
import type { Provider } from "../../../src/contract/api.ts";
import { providersQuery } from "../api/server.ts";
import { Skeleton } from "../ui/skeleton.tsx";
import { Trouble } from "../ui/trouble.tsx";
import { CodeSample } from "./code-sample.tsx";
import { Badge, SettingsSection } from "./settings-section.tsx";

/** The providers that variables of the server's environment configure. */
const BY_VARIABLES = [
  { name: "google", title: "Google", key: "GEMINI_API_KEY", url: "GOOGLE_GEMINI_BASE_URL" },
  { name: "openai", title: "OpenAI", key: "OPENAI_API_KEY", url: "OPENAI_BASE_URL" },
  { name: "anthropic", title: "Anthropic", key: "ANTHROPIC_API_KEY", url: "ANTHROPIC_BASE_URL" },
];
const PROTOCOLS: Record<Provider["protocol"], string> = {
  google: "Gemini API",
  openai: "Chat completions",
  anthropic: "Messages",
};
const OLLAMA = `ollama pull qwen3-coder
OPENAI_BASE_URL=http://127.0.0.1:11434/v1 sealwork serve`;
const CONFIG = `{
  "providers": {
    "ollama": {
      "protocol": "openai",
      "base_url": "http://127.0.0.1:11434/v1",
      "default_model": "qwen3-coder"
    },
    "openrouter": {
      "protocol": "openai",
      "base_url": "https://openrouter.ai/api/v1",
      "api_key_env": "OPENROUTER_API_KEY"
    }
  },
  "default_model": "ollama/qwen3-coder"
}`;

/** Who answers the calls of models. Keys stay at the server; what is said of one here is that it is there. */
export function ModelsPage() {
  const { data, error } = useQuery(providersQuery);
  const missing = BY_VARIABLES.filter(({ name }) => data?.providers.every((one) => one.name !== name));
  return (
    <SettingsSection
      title="Models"
      about="With a model a sentence is enough for a task. Calls are made by the server, outside of the sandbox: no key ever enters one, and none is shown here."
    >
      {error !== null && <Trouble error={error} />}
      {data === undefined && error === null && <Skeleton className="h-48" />}
      {data !== undefined && (
        <>
          <p className="rounded-lg border bg-panel px-4 py-3 text-sm">
            {data.default_model === null ? (
              data.providers.length === 0 ? (
                "No model is configured. Tasks run as scripts, which need none."
              ) : (
                "No model is the default one, so a job has to name its own."
              )
            ) : (
              <>
                Jobs that name no model work with{" "}
                <code className="untrusted text-accent text-xs">{data.default_model}</code>
              </>
            )}
          </p>
          <ul className="divide-y rounded-lg border bg-panel">
            {data.providers.map((provider) => (
              <Configured key={provider.name} provider={provider} />
            ))}
            {missing.map(({ name, title, key, url }) => (
              <Row
                key={name}
                icon={<CircleDashed className="text-faint" />}
                title={title}
                badge={<Badge>not configured</Badge>}
              >
                <span>
                  Start the server with <code className="text-ink">{key}</code> in its environment; with{" "}
                  <code className="text-ink">{url}</code> too when it is at another address.
                </span>
              </Row>
            ))}
          </ul>
        </>
      )}
      <section className="flex flex-col gap-3 border-t pt-5">
        <div className="max-w-xl">
          <h3 className="font-medium text-base">Others, and models on this machine</h3>
          <p className="mt-0.5 text-pretty text-quiet text-sm">
            Whatever speaks like OpenAI, Google or Anthropic works, and need not have a key: Ollama, vLLM,
            OpenRouter. The model must be able to call tools.
          </p>
        </div>
        <CodeSample text={OLLAMA} label="Copy the commands for Ollama" />
        <p className="text-quiet text-sm">
          Several at once, with names of your own, stand in{" "}
          <code className="text-ink text-xs">config.json</code>:
        </p>
        <CodeSample text={CONFIG} label="Copy the configuration" />
      </section>
    </SettingsSection>
  );
}

function Configured({ provider }: { provider: Provider }) {
  const { name, protocol, base_url, has_key, default_model } = provider;
  const title = BY_VARIABLES.find((one) => one.name === name)?.title ?? name;
  return (
    <Row
      icon={<CircleCheck className="text-good" />}
      title={title}
      badge={<Badge>{has_key ? "has a key" : "without a key"}</Badge>}
    >
      <span className="untrusted">
        {default_model === null ? "No model of its own: name one, as " : "Default model "}
        <code className="text-ink">{default_model ?? `${name}/MODEL`}</code>
      </span>
      <span className="untrusted">
        {PROTOCOLS[protocol]} at <code className="text-ink">{base_url}</code>
      </span>
    </Row>
  );
}

function Row({
  icon,
  title,
  badge,
  children,
}: {
  icon: ReactNode;
  title: string;
  badge: ReactNode;
  children: ReactNode;
}) {
  return (
    <li className="flex items-start gap-3 px-4 py-3 [&>svg]:mt-0.5 [&>svg]:size-4 [&>svg]:shrink-0">
      {icon}
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-x-2 font-medium text-sm">
          {title}
          {badge}
        </p>
        <div className="flex flex-wrap gap-x-4 text-quiet text-xs [&>span]:min-w-0">{children}</div>
      </div>
    </li>
  );
}
