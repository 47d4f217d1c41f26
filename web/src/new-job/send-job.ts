import type { ScheduleAnswer } from "../../../src/contract/api.ts";
import type { JobRequestInput } from "../../../src/contract/job.ts";
import { ApiError, answerFault, requestJson } from "../api/request.ts";
import type { Inputs } from "./inputs.ts";

export type Sending = {
  /** The same one for the same job: who sends again after a lost answer gets the job of the first time. */
  key: string;
  signal: AbortSignal;
  onProgress: (sent_bytes: number, all_bytes: number) => void;
};

/** Schedules a job with its files. Throws ApiError; what the signal says when it was aborted. */
export function sendJob(
  request: JobRequestInput,
  inputs: Inputs,
  { key, signal, onProgress }: Sending,
): Promise<ScheduleAnswer> {
  const headers = { "idempotency-key": key };
  if (inputs.files.length === 0 && inputs.archive === null)
    return requestJson("/schedule", { method: "POST", json: request, headers, signal });
  const body = new FormData();
  body.set("job", JSON.stringify(request));
  if (inputs.archive !== null) body.set("archive", inputs.archive.file, "workspace.zip");
  for (const { path, file } of inputs.files) body.append("files", file, path);
  return upload(body, headers, { signal, onProgress });
}

/** By the older interface of browsers, the only one that says how far an upload has come. */
function upload(
  body: FormData,
  headers: Record<string, string>,
  { signal, onProgress }: Pick<Sending, "signal" | "onProgress">,
): Promise<ScheduleAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<ScheduleAnswer>();
  const call = new XMLHttpRequest();
  call.open("POST", "/schedule");
  for (const [name, value] of Object.entries({ accept: "application/json", ...headers }))
    call.setRequestHeader(name, value);
  call.upload.onprogress = ({ loaded, total }) => onProgress(loaded, total);
  call.onload = () => {
    if (call.status === 200) resolve(JSON.parse(call.responseText));
    else reject(answerFault(call.status, call.responseText));
  };
  call.onerror = () =>
    reject(
      new ApiError(0, {
        code: "unreachable",
        message: "The upload broke off: the orchestrator cannot be reached, or a file changed meanwhile.",
        hint: "Nothing was scheduled and nothing you typed is lost; try again.",
      }),
    );
  const abort = (): void => {
    call.abort();
    reject(signal.reason);
  };
  signal.addEventListener("abort", abort, { once: true });
  call.onloadend = () => signal.removeEventListener("abort", abort);
  call.send(body);
  return promise;
}
