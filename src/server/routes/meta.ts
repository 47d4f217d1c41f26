import {
  AgentsAnswer,
  DoctorAnswer,
  HealthAnswer,
  ProvidersAnswer,
  RootAnswer,
  TemplatesAnswer,
} from "../../contract/api.ts";
import type { App, RouteContext } from "../route-context.ts";
import { errorAnswers, rawAnswer } from "../route-schemas.ts";

export function metaRoutes(app: App, { orchestrator, requests, version }: RouteContext): void {
  app.get(
    "/",
    {
      config: { open: true },
      schema: {
        tags: ["server"],
        summary: "What this is: JSON, or the dashboard for `Accept: text/html`",
        security: [],
        response: { 200: RootAnswer },
      },
    },
    (_request, reply) => {
      reply.header("vary", "accept");
      return { message: "Sealwork is running.", version, docs: "/docs" };
    },
  );

  app.get(
    "/healthz",
    {
      config: { open: true },
      schema: {
        tags: ["server"],
        summary: "Whether the server answers",
        security: [],
        response: { 200: HealthAnswer },
      },
    },
    () => ({ status: "ok" as const, version }),
  );

  app.get(
    "/templates",
    {
      schema: {
        tags: ["server"],
        summary: "Images that a job can run in, with their limits",
        response: { 200: TemplatesAnswer, ...errorAnswers() },
      },
    },
    () => ({ templates: orchestrator.templates() }),
  );

  app.get(
    "/agents",
    {
      schema: {
        tags: ["server"],
        summary: "Agents that can work on a job",
        response: { 200: AgentsAnswer, ...errorAnswers() },
      },
    },
    () => ({ agents: orchestrator.agents() }),
  );

  app.get(
    "/providers",
    {
      schema: {
        tags: ["server"],
        summary: "Providers of models that are configured, without their keys",
        response: { 200: ProvidersAnswer, ...errorAnswers() },
      },
    },
    () => orchestrator.providers(),
  );

  app.get(
    "/doctor",
    {
      schema: {
        tags: ["server"],
        summary: "What works on this machine, and how to mend what does not",
        response: { 200: DoctorAnswer, ...errorAnswers() },
      },
    },
    async (_request, reply) => {
      const checks = await orchestrator.doctor(requests.signal(reply));
      return { ok: checks.every((check) => check.state !== "failed"), checks };
    },
  );

  app.get(
    "/openapi.json",
    {
      schema: {
        tags: ["server"],
        summary: "This description",
        response: { 200: rawAnswer("An OpenAPI 3.1 document.", "application/json"), ...errorAnswers() },
      },
    },
    (_request, reply) =>
      reply
        .type("application/json; charset=utf-8")
        .serializer((document: unknown) => JSON.stringify(document))
        .send(app.swagger() as never),
  );
}
