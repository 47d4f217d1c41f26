import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Template } from "../../../src/contract/api.ts";
import { formatSize, formatSpan } from "../../../src/contract/units.ts";
import { templatesQuery } from "../api/server.ts";
import { EGRESS_WORDS } from "../new-job/egress-words.ts";
import { Skeleton } from "../ui/skeleton.tsx";
import { Trouble } from "../ui/trouble.tsx";
import { CodeSample } from "./code-sample.tsx";
import { Badge, SettingsSection } from "./settings-section.tsx";

const DOCKERFILE = `FROM ruby:3.4
COPY --from=sealwork/base /opt/sealwork /opt/sealwork
RUN /opt/sealwork/setup`;
const CONFIG = `{
  "templates": {
    "ruby": {
      "image": "my/ruby",
      "description": "Ruby 3.4",
      "limits": { "memory_bytes": 4294967296 },
      "egress": { "policy": "allow", "hosts": ["rubygems.org"] }
    }
  }
}`;

/** The images that a job can run in. */
export function TemplatesPage() {
  const { data, error } = useQuery(templatesQuery);
  return (
    <SettingsSection
      title="Templates"
      about="A template is an image with limits and with what its jobs may reach. A job can ask for other limits than those of its template."
    >
      {error !== null && <Trouble error={error} />}
      {data === undefined && error === null && <Skeleton className="h-48" />}
      <ul className="flex flex-col gap-3">
        {data?.templates.map((template) => (
          <TemplateCard key={template.name} template={template} />
        ))}
      </ul>
      <section className="flex flex-col gap-3 border-t pt-5">
        <div className="max-w-xl">
          <h3 className="font-medium text-base">An image of your own</h3>
          <p className="mt-0.5 text-pretty text-quiet text-sm">
            Two lines make any image with glibc a template. Build it, name it in{" "}
            <code className="text-ink text-xs">config.json</code>, and start the server again; the page{" "}
            <Link to="/settings/engine" className="text-accent underline underline-offset-2">
              Engine
            </Link>{" "}
            says where that file is.
          </p>
        </div>
        <div className="grid gap-3 lg:grid-cols-2 lg:items-start">
          <Sample title="Dockerfile">
            <CodeSample text={DOCKERFILE} label="Copy the lines of the Dockerfile" />
          </Sample>
          <Sample title="config.json">
            <CodeSample text={CONFIG} label="Copy the configuration" />
          </Sample>
        </div>
      </section>
    </SettingsSection>
  );
}

function Sample({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="flex min-w-0 flex-col gap-1">
      <p className="text-quiet text-xs">{title}</p>
      {children}
    </div>
  );
}

function TemplateCard({ template }: { template: Template }) {
  const { name, image, description, limits, egress } = template;
  return (
    <li className="rounded-lg border bg-panel px-4 py-3">
      <div className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
        <h3 className="font-medium text-base">{name}</h3>
        {template.default && <Badge tone="accent">default</Badge>}
        <code className="untrusted text-quiet text-xs sm:ml-auto">{image}</code>
      </div>
      {description !== "" && <p className="text-sm text-soft">{description}</p>}
      <dl className="mt-2.5 grid grid-cols-2 gap-x-6 gap-y-2 border-t pt-2.5 sm:grid-cols-4">
        <Figure name="CPUs and memory">
          {limits.cpus} · {formatSize(limits.memory_bytes)}
        </Figure>
        <Figure name="Disk and processes">
          {formatSize(limits.disk_bytes)} · {limits.pids}
        </Figure>
        <Figure name="Time, idle time">
          {formatSpan(limits.timeout_s)} · {formatSpan(limits.idle_timeout_s)}
        </Figure>
        <Figure name="May reach">
          {EGRESS_WORDS[egress.policy]}
          {egress.hosts.length > 0 && (
            <span className="untrusted block text-quiet text-xs">{egress.hosts.join(", ")}</span>
          )}
        </Figure>
      </dl>
    </li>
  );
}

function Figure({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-quiet text-xs">{name}</dt>
      <dd className="tabular text-sm">{children}</dd>
    </div>
  );
}
