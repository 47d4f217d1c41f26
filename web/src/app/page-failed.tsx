import { Link } from "@tanstack/react-router";
import { Compass, TriangleAlert } from "lucide-react";
import { Button } from "../ui/button.tsx";
import { Empty } from "../ui/empty.tsx";
import { wordsOf } from "../ui/trouble.tsx";

export function PageFailed({ error }: { error: unknown }) {
  const { message, hint } = wordsOf(error);
  return (
    <Empty
      icon={<TriangleAlert />}
      title="This page cannot be shown"
      actions={<Button onClick={() => location.reload()}>Load it again</Button>}
    >
      <p className="untrusted">{message}</p>
      {hint !== null && <p className="untrusted">{hint}</p>}
    </Empty>
  );
}

export function PageMissing() {
  return (
    <Empty
      icon={<Compass />}
      title="There is no such page"
      actions={
        <Button asChild>
          <Link to="/">To the jobs</Link>
        </Button>
      }
    />
  );
}
