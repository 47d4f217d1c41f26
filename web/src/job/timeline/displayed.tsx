import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { request } from "../../api/request.ts";
import { Markdown } from "../../text/markdown.tsx";
import { visibleLine } from "../../text/visible-text.ts";
import { Button } from "../../ui/button.tsx";
import type { EventOf } from "../events/job-events.ts";
import { MoreButton } from "./card.tsx";
import { CodeBlock } from "./code-block.tsx";
import { PictureView } from "./picture-view.tsx";
import { useRemembered } from "./remembered.tsx";

const PICTURES: ReadonlySet<string> = new Set([
  "image/png",
  "image/jpeg",
  "image/gif",
  "image/webp",
  "image/svg+xml",
]);
/** A step in a loop may show thousands of things. */
const SHOWN_AT_ONCE = 20;
/** Of a blob so much is shown as text; the rest is in the download. */
const TEXT_SHOWN_BYTES = 256 * 1024;

/** What a step showed; of very much the first, and more by need. */
export function AllDisplayed({
  id,
  displayed,
}: {
  id: string;
  displayed: readonly EventOf<"step.displayed">[];
}) {
  const [count, setCount] = useRemembered<number>(`${id} displayed`);
  const shown = displayed.slice(0, count ?? SHOWN_AT_ONCE);
  const left_out = displayed.length - shown.length;
  return (
    <>
      {shown.map((event) => (
        <Displayed key={event.seq} event={event} />
      ))}
      {left_out > 0 && (
        <MoreButton onClick={() => setCount(shown.length + SHOWN_AT_ONCE)}>
          {left_out.toLocaleString()} more shown by this step
        </MoreButton>
      )}
    </>
  );
}

/** Something that a step showed: pictures as pictures, Markdown as such, everything else (HTML above all) as the text that it is. */
function Displayed({ event }: { event: EventOf<"step.displayed"> }) {
  const { mime, blob, text } = event.data;
  const [source, setSource] = useRemembered<boolean>(`${event.seq} source`);
  const type = mime.split(";")[0]?.trim().toLowerCase() ?? "";
  const path = blob === null ? null : `/jobs/${event.job_id}/blobs/${blob}`;
  const label = visibleLine(type) || "output";
  if (PICTURES.has(type) && path !== null)
    return (
      <figure className="flex min-w-0 flex-col items-start gap-1">
        <PictureView
          path={path}
          mime={type}
          label={`Shown by the step: ${label}`}
          className="max-h-80 max-w-full"
        />
        {type === "image/svg+xml" && (
          <MoreButton onClick={() => setSource(source !== true)}>
            {source === true ? "Hide its source" : "Show its source"}
          </MoreButton>
        )}
        {source === true && <BlobText id={`${event.seq}`} path={path} />}
      </figure>
    );
  const body =
    text === null || (path !== null && source === true) ? (
      path !== null && <BlobText id={`${event.seq}`} path={path} />
    ) : type === "text/markdown" ? (
      <Markdown text={text} className="text-sm" />
    ) : (
      <CodeBlock id={`${event.seq}`} text={text} cut={path !== null} />
    );
  return (
    <figure className="flex min-w-0 flex-col items-start gap-1">
      {type !== "text/plain" && (
        <figcaption className="flex w-full items-center gap-2 text-quiet text-xs">
          <span className="untrusted">{label}</span>
          {type === "text/html" && <span>as text: pages of a sandbox are not rendered here</span>}
          {path !== null && text !== null && (
            <MoreButton onClick={() => setSource(source !== true)}>
              {source === true ? "Show the short form" : "Show the source"}
            </MoreButton>
          )}
          {path !== null && (
            <Button look="ghost" size="sm" asChild className="ml-auto">
              <a href={path} download="">
                <Download aria-hidden />
                Download
              </a>
            </Button>
          )}
        </figcaption>
      )}
      <div className="w-full min-w-0">{body}</div>
    </figure>
  );
}

function BlobText({ id, path }: { id: string; path: string }) {
  const { data, error } = useQuery({
    queryKey: ["blob text", path],
    queryFn: async ({ signal }) => {
      const bytes = new Uint8Array(await (await request(path, { signal })).arrayBuffer());
      return {
        text: new TextDecoder().decode(bytes.subarray(0, TEXT_SHOWN_BYTES)),
        cut: bytes.length > TEXT_SHOWN_BYTES,
      };
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (error !== null) return <p className="text-bad text-xs">It could not be loaded.</p>;
  return data === undefined ? null : <CodeBlock id={`${id} blob`} text={data.text} cut={data.cut} />;
}
