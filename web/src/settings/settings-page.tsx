import { Link, Outlet } from "@tanstack/react-router";
import { Boxes, KeyRound, ServerCog, Sparkles } from "lucide-react";

const PAGES = [
  { to: "/settings/tokens", text: "Tokens", icon: <KeyRound /> },
  { to: "/settings/templates", text: "Templates", icon: <Boxes /> },
  { to: "/settings/models", text: "Models", icon: <Sparkles /> },
  { to: "/settings/engine", text: "Engine", icon: <ServerCog /> },
] as const;

/** What a server is set up with; its pages lie beside each other on a wide screen, else over what is chosen. */
export function SettingsPage() {
  return (
    <div className="min-h-0 flex-1 overflow-y-auto">
      <div className="mx-auto flex w-full max-w-5xl flex-col gap-x-8 gap-y-4 px-4 py-5 sm:px-6 md:flex-row md:py-8">
        <nav
          aria-label="Settings"
          className="-mx-4 sm:-mx-6 flex shrink-0 gap-0.5 overflow-x-auto border-b px-3 [scrollbar-width:none] sm:px-5 md:sticky md:top-0 md:mx-0 md:w-44 md:flex-col md:self-start md:border-0 md:px-0"
        >
          <h1 className="mb-3 px-2.5 font-semibold text-xl tracking-tight max-md:sr-only">Settings</h1>
          {PAGES.map(({ to, text, icon }) => (
            <Link
              key={to}
              to={to}
              activeProps={{
                "aria-current": "page",
                className: "max-md:border-accent! font-medium text-ink md:bg-pressed/60 [&_svg]:text-accent!",
              }}
              inactiveProps={{ className: "text-soft hover:bg-hover hover:text-ink" }}
              className="flex h-9 shrink-0 items-center gap-2 px-2.5 text-sm max-md:-mb-px max-md:border-transparent max-md:border-b-2 md:rounded-md [&_svg]:size-4 [&_svg]:text-quiet"
            >
              {icon}
              {text}
            </Link>
          ))}
        </nav>
        <div className="min-w-0 flex-1">
          <Outlet />
        </div>
      </div>
    </div>
  );
}
