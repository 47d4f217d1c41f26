import type { FastifyReply, FastifyRequest } from "fastify";
import { AllEventsQuery, JobEventsQuery } from "../../contract/api.ts";
import { CURSOR_HEADER } from "../../contract/event-cursor.ts";
import type { EventLine } from "../../core/store.ts";
import { type EventText, eventText } from "../event-text.ts";
import { followAllOf, followOf } from "../events-filter.ts";
import type { App, RouteContext } from "../route-context.ts";
import { errorAnswers, JobParams, rawAnswer } from "../route-schemas.ts";
import { sendStream } from "../streamed-answer.ts";

const SUCCESS = rawAnswer(
  "Events: SSE, or NDJSON for `Accept: application/x-ndjson`.",
  "text/event-stream",
  "application/x-ndjson",
);

type Source = {
  idOf: (event: EventLine) => number;
  open: (signal: AbortSignal) => AsyncIterable<EventLine[]>;
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
          "From the first, or those after `after` or `Last-Event-ID` (the query wins). Live until `job.ended`, after which the stream ends; with `before` or `limit` a page of what is stored.",
        params: JobParams,
        querystring: JobEventsQuery,
        response: {
          200: SUCCESS,
          ...errorAnswers("invalid_id", "not_found", "expired", "invalid_request", "not_acceptable"),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const filter = followOf(request.query, request.headers["last-event-id"]);
      // A stream that has begun can tell no error, so the job is looked up before.
      await orchestrator.job(id);
      const open = (signal: AbortSignal) => orchestrator.eventLines(id, filter, signal);
      return answer(request, reply, { idOf: (event) => event.seq, open });
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
          "From now on, or those after a cursor. Leaves out `step.output` unless `types` names it, or `output_of` its job.",
        querystring: AllEventsQuery,
        response: { 200: SUCCESS, ...errorAnswers("invalid_request", "not_acceptable") },
      },
    },
    async (request, reply) => {
      const filter = followAllOf(request.query, request.headers["last-event-id"]);
      // Settled before the answer begins, so that whoever asks for a job after that misses nothing of it.
      const last = await orchestrator.lastCursor();
      // Whoever knows later events knows those of another store, which this server had before.
      const after = Math.min(filter.after ?? last, last);
      reply.header(CURSOR_HEADER, after);
      const open = (signal: AbortSignal) => orchestrator.allEventLines({ ...filter, after }, signal);
      return answer(request, reply, { idOf: (event) => event.cursor, open });
    },
  );

  async function answer(request: FastifyRequest, reply: FastifyReply, source: Source): Promise<void> {
    const text = eventText(request.headers.accept);
    using _slot = context.slots.take();
    const signal = context.requests.signal(reply);
    await sendStream(
      reply,
      {
        status: 200,
        headers: { "content-type": text.content_type, "x-accel-buffering": "no" },
        content: lines(source.open(signal), text, source.idOf),
        heartbeat: { text: text.heartbeat, every_ms: context.heartbeat_ms },
      },
      { signal, log: context.log },
    );
  }
}

async function* lines(
  batches: AsyncIterable<EventLine[]>,
  text: EventText,
  idOf: (event: EventLine) => number,
): AsyncGenerator<string> {
  yield text.opening;
  for await (const batch of batches) yield batch.map((event) => text.line(event, idOf(event))).join("");
}
