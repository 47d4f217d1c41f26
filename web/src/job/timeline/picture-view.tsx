import clsx from "clsx";
import { ImageOff } from "lucide-react";
import { Dialog } from "../../ui/dialog.tsx";
import { Skeleton } from "../../ui/skeleton.tsx";
import { usePicture } from "./use-picture.ts";

type Props = {
  path: string;
  mime: string;
  /** What it is, in words. */
  label: string;
  /** Its width by its height, where that is known before it is there. */
  ratio?: number;
  className?: string;
};

/** A picture of a sandbox, small; a click shows it large. */
export function PictureView({ path, mime, label, ratio, className }: Props) {
  const picture = usePicture(path, mime);
  const shape = clsx("rounded-md border bg-white object-contain", className);
  if (picture.kind === "none")
    return (
      <p className="flex items-center gap-1.5 text-quiet text-xs">
        <ImageOff aria-hidden className="size-3.5" />
        {picture.why}
      </p>
    );
  const box = ratio === undefined ? {} : { style: { aspectRatio: ratio } };
  if (picture.kind === "loading")
    return (
      <div {...box} className={clsx("overflow-hidden", className, ratio === undefined && "h-40")}>
        <Skeleton className="size-full" />
      </div>
    );
  return (
    <Dialog
      title={label}
      size="full"
      trigger={
        <button
          type="button"
          aria-label={`${label}: show it large`}
          className="w-fit cursor-zoom-in rounded-md"
        >
          <img src={picture.address} alt={label} {...box} className={shape} />
        </button>
      }
    >
      <div className="flex min-h-0 flex-1 items-center justify-center">
        <img src={picture.address} alt={label} className="max-h-full max-w-full bg-white object-contain" />
      </div>
    </Dialog>
  );
}
