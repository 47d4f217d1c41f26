import type { Readable } from "node:stream";
import type Docker from "dockerode";
import { z } from "zod";
import { AppError } from "../contract/errors.ts";
import { LABELS } from "./docker-container.ts";

/** An event is a line with the container's labels; a longer one is no event. */
const LINE_BYTES = 1024 * 1024;

const EngineEvent = z.object({
  Action: z.string(),
  Actor: z.object({ Attributes: z.record(z.string(), z.string()) }),
});

export type ContainerEvent = {
  action: string;
  id: string;
  job_id: string | null;
  volume: string | null;
};

/**
 * Events of this installation's containers from the moment of the call. The start of the stream is given as a time, so that
 * nothing is lost between the call and the engine's answer. Ends only by throwing: `engine_unreachable` when the stream ends.
 */
export async function* containerEvents(
  docker: Docker,
  installation: string,
  signal: AbortSignal,
): AsyncIterable<ContainerEvent> {
  const stream = (await docker.getEvents({
    since: Date.now() / 1000,
    filters: {
      type: ["container"],
      event: ["create", "start", "die", "destroy"],
      label: [`${LABELS.installation}=${installation}`],
    },
    abortSignal: signal,
  })) as Readable;
  try {
    for await (const line of lines(stream)) {
      const event = EngineEvent.safeParse(JSON.parse(line));
      const id = event.data?.Actor.Attributes[LABELS.sandbox];
      if (event.data === undefined || id === undefined) continue;
      const attributes = event.data.Actor.Attributes;
      yield {
        action: event.data.Action,
        id,
        job_id: attributes[LABELS.job] ?? null,
        volume: attributes[LABELS.volume] ?? null,
      };
    }
  } finally {
    stream.destroy();
  }
  throw new AppError({ code: "engine_unreachable", message: "The engine ended the stream of its events." });
}

async function* lines(stream: Readable): AsyncIterable<string> {
  let rest = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream) {
    rest += chunk;
    const parts = rest.split("\n");
    rest = parts.pop() ?? "";
    if (rest.length > LINE_BYTES) {
      throw new AppError({ code: "engine_unreachable", message: "The engine sent an event without an end." });
    }
    for (const part of parts) if (part.trim() !== "") yield part;
  }
}
