import { FileUp } from "lucide-react";
import { type DragEvent, type ReactNode, useRef, useState } from "react";
import { useToasts } from "../ui/toasts.tsx";
import { droppedFiles, type InputFile } from "./inputs.ts";

/** Takes files and folders that are dropped anywhere on what is inside. */
export function DropFiles({
  onFiles,
  children,
}: {
  onFiles: (files: readonly InputFile[]) => void;
  children: ReactNode;
}) {
  const [over, setOver] = useState(false);
  // Entering a child comes before leaving its parent, so it is counted.
  const depth = useRef(0);
  const { failed } = useToasts();
  const has_files = ({ dataTransfer }: DragEvent) => dataTransfer.types.includes("Files");
  const enter = (event: DragEvent): void => {
    if (!has_files(event)) return;
    event.preventDefault();
    depth.current += 1;
    setOver(true);
  };
  const leave = (event: DragEvent): void => {
    if (!has_files(event)) return;
    depth.current -= 1;
    if (depth.current <= 0) setOver(false);
  };
  const drop = (event: DragEvent): void => {
    if (!has_files(event)) return;
    event.preventDefault();
    depth.current = 0;
    setOver(false);
    droppedFiles(event.dataTransfer).then(onFiles, failed);
  };
  return (
    <div
      onDragEnterCapture={enter}
      onDragOverCapture={(event) => has_files(event) && event.preventDefault()}
      onDragLeaveCapture={leave}
      onDropCapture={drop}
      className="relative flex min-h-0 flex-1 flex-col"
    >
      {children}
      {over && (
        <div className="pointer-events-none absolute inset-2 z-30 flex flex-col items-center justify-center gap-2 rounded-lg border-2 border-accent border-dashed bg-panel/90 text-accent">
          <FileUp aria-hidden className="size-8" />
          <p className="font-medium">Drop files or folders to send them along</p>
        </div>
      )}
    </div>
  );
}
