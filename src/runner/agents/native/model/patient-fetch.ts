import { once } from "node:events";
import { type IncomingMessage, request as startRequest } from "node:http";
import { Readable } from "node:stream";
import { NoModelThere } from "./model-failure.ts";

/**
 * What the providers' libraries fetch with. The platform's own gives up when a server says nothing for five minutes, and a large prompt takes
 * a local model longer than that; here only the signal ends the wait. For plain HTTP to the port of this sandbox: no redirects.
 */
export const patientFetch: typeof fetch = async (input, init = {}) => {
  const url = input instanceof Request ? input.url : input;
  const { method = "GET", body, signal } = init;
  if (body !== undefined && body !== null && typeof body !== "string")
    throw new TypeError("Only a text can be sent.");
  const headers = Object.fromEntries(new Headers(init.headers));
  const request = startRequest(url, { method, headers, ...(signal ? { signal } : {}) });
  const answered: Promise<IncomingMessage[]> = once(request, "response");
  request.end(body ?? undefined);
  const [response] = await answered;
  if (response === undefined) throw new TypeError("There was no answer.");
  const { statusCode: status = 500 } = response;
  const given = Object.entries(response.headersDistinct).flatMap(([name, values = []]) =>
    values.map((value): [string, string] => [name, value]),
  );
  const type = response.headers["content-type"] ?? "";
  if (status < 400 && type.startsWith("text/html")) {
    response.destroy();
    throw new NoModelThere(`It answered with a web page (HTTP ${status}, ${type}), not as a model does.`);
  }
  // An answer that breaks off is an error of its body; the request may tell of it too, when nobody waits for it any more.
  request.on("error", () => undefined);
  return new Response(Readable.toWeb(response), { status, headers: given });
};
