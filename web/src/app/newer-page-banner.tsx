import { RefreshCw } from "lucide-react";
import { Button } from "../ui/button.tsx";
import { useIsNewerPage } from "./newer-page.ts";

/** Asks to load the page anew once the server has another one. */
export function NewerPageBanner() {
  const newer = useIsNewerPage();
  return (
    <div role="status">
      {newer && (
        <div className="flex items-center justify-center gap-3 border-accent-line border-b bg-accent-soft px-4 py-1 text-accent text-sm">
          <RefreshCw aria-hidden className="size-4 shrink-0" />
          <span>The server was updated. Load the page anew to use it.</span>
          <Button size="sm" look="ghost" className="text-accent!" onClick={() => location.reload()}>
            Load anew
          </Button>
        </div>
      )}
    </div>
  );
}
