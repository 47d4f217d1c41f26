import type { FastifyReply, FastifyRequest } from "fastify";
import { EventsQuery } from "../../contract/api.ts";
import type { Event } from "../../contract/event.ts";
import type { Follow } from "../../core/orchestrator.ts";
import { afterOf, type EventText, eventText } from "../event-text.ts";
import type { App, RouteContext } from "../route-context.ts";
import { errorAnswers, JobParams, rawAnswer } from "../route-schemas.ts";
import { sendStream } from "../streamed-answer.ts";

const SUCCESS = rawAnswer(
  "Events: SSE, or NDJSON for `Accept: application/x-ndjson`.",
  "text/event-stream",
  "application/x-ndjson",
);

type Source = {
  query: EventsQuery;
  idOf: (event: Event) => number;
  open: (filter: Follow, signal: AbortSignal) => AsyncIterable<Event>;
};

export function eventRoutes(app: App, context: RouteContext): void {
  const { orchestrator } = context;

  app.get(
    "/jobs/:id/events",
    {
      exposeHeadRoute: false,
      schema: {
        tags: ["events"],
        summary: "Events of a job",
        description:
          "From the first, or those after `after` or `Last-Event-ID` (the query wins). Live until `job.ended`, after which the stream ends.",
        params: JobParams,
        querystring: EventsQuery,
        response: {
          200: SUCCESS,
          ...errorAnswers("invalid_id", "not_found", "expired", "invalid_request", "not_acceptable"),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      // A stream that has begun can tell no error, so the job is looked up before.
      await orchestrator.job(id);
      const open = (filter: Follow, signal: AbortSignal) => orchestrator.events(id, filter, signal);
      return answer(request, reply, { query: request.query, idOf: (event) => event.seq, open });
    },
  );

  app.get(
    "/events",
    {
      exposeHeadRoute: false,
      schema: {
        tags: ["events"],
        summary: "Events of all jobs",
        description:
          "From now on, or those after a cursor. Leaves out `step.output` unless `types` names it.",
        querystring: EventsQuery,
        response: { 200: SUCCESS, ...errorAnswers("invalid_request", "not_acceptable") },
      },
    },
    (request, reply) =>
      answer(request, reply, {
        query: request.query,
        idOf: (event) => event.cursor,
        open: (filter, signal) => orchestrator.allEvents(filter, signal),
      }),
  );

  async function answer(request: FastifyRequest, reply: FastifyReply, source: Source): Promise<void> {
    const text = eventText(request.headers.accept);
    const { query } = source;
    const after = afterOf(query.after, request.headers["last-event-id"]);
    using _slot = context.slots.take();
    const signal = context.requests.signal(reply);
    const events = source.open({ after, types: query.types ?? null, follow: query.follow ?? true }, signal);
    await sendStream(
      reply,
      {
        status: 200,
        headers: { "content-type": text.content_type, "x-accel-buffering": "no" },
        content: lines(events, text, source.idOf),
        heartbeat: { text: text.heartbeat, every_ms: context.heartbeat_ms },
      },
      { signal, log: context.log },
    );
  }
}

async function* lines(
  events: AsyncIterable<Event>,
  text: EventText,
  idOf: (event: Event) => number,
): AsyncGenerator<string> {
  yield text.opening;
  for await (const event of events) yield text.line(event, idOf(event));
}
