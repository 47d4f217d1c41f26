import { ImageOff } from "lucide-react";
import { useState } from "react";
import { visibleLine } from "../../text/visible-text.ts";
import { Empty } from "../../ui/empty.tsx";
import { Skeleton } from "../../ui/skeleton.tsx";
import { usePicture } from "../timeline/use-picture.ts";
import { endingOf } from "./file-kind.ts";
import { nameOf } from "./folders.ts";

/** A picture in the middle of its place, on squares where it lets through. */
export function PictureFile({ address, path }: { address: string; path: string }) {
  const picture = usePicture(address, endingOf(path) === "svg" ? "image/svg+xml" : "image");
  const [size, setSize] = useState<string | null>(null);
  if (picture.kind === "loading") return <Skeleton className="m-4 flex-1" />;
  if (picture.kind === "none")
    return (
      <Empty icon={<ImageOff />} title="This picture cannot be shown">
        {picture.why} It can be looked at as text, or downloaded.
      </Empty>
    );
  return (
    <div className="relative flex min-h-0 flex-1 items-center justify-center overflow-auto bg-sunken p-4">
      <img
        src={picture.address}
        alt={visibleLine(nameOf(path))}
        onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
          setSize(`${naturalWidth} × ${naturalHeight}`)
        }
        className="max-h-full max-w-full bg-[repeating-conic-gradient(#ffffff_0_25%,#e6e9ed_0_50%)] bg-[length:16px_16px] object-contain shadow-pop"
      />
      {size !== null && (
        <span className="tabular absolute right-3 bottom-2 rounded-sm bg-panel px-1.5 text-2xs text-quiet">
          {size}
        </span>
      )}
    </div>
  );
}
