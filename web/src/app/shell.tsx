import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import clsx from "clsx";
import { Command, ListTree, Monitor, Moon, Plus, Settings, Sun } from "lucide-react";
import { type ReactNode, Suspense, useRef, useState } from "react";
import seal from "../assets/seal.svg";
import { Button, IconButton } from "../ui/button.tsx";
import { lazyPart } from "../ui/load-part.ts";
import { Menu, MenuRadio } from "../ui/menu.tsx";
import { StaleContext } from "../ui/stale.ts";
import { ConnectionBanner } from "./connection-banner.tsx";
import { NewerPageBanner } from "./newer-page-banner.tsx";
import { useOutage } from "./outage.ts";
import { usePageFocus } from "./page-focus.ts";
import { usePageTitle } from "./page-title.ts";
import { useShortcut } from "./shortcuts.ts";
import { setTheme, type Theme, useTheme } from "./theme.ts";

/** Loaded when they are first asked for. */
const CommandPalette = lazyPart(() => import("./command-palette.tsx"), "CommandPalette");
const ShortcutsDialog = lazyPart(() => import("./shortcuts-dialog.tsx"), "ShortcutsDialog");

/** What stands around every page but the sign-in. */
export function Shell() {
  const main = useRef<HTMLElement>(null);
  const [over, setOver] = useState<"commands" | "shortcuts" | null>(null);
  const navigate = useNavigate();
  const outage = useOutage();
  const stale = outage?.stale === true;
  usePageTitle(stale);
  usePageFocus(main);
  useShortcut({ keys: "mod+k", does: "Find a job, a page or a command" }, () => setOver("commands"));
  useShortcut({ keys: "?", does: "Show what can be pressed" }, () => setOver("shortcuts"));
  useShortcut({ keys: "c", does: "New job" }, () => void navigate({ to: "/new" }));
  useShortcut({ keys: "g j", does: "Go to the jobs" }, () => void navigate({ to: "/" }));
  useShortcut({ keys: "g s", does: "Go to the settings" }, () => void navigate({ to: "/settings" }));
  const close = () => setOver(null);
  return (
    <StaleContext value={stale}>
      <div className="flex h-full flex-col">
        <a
          href="#page"
          className="-translate-y-12 absolute top-2 left-2 z-50 rounded-md bg-accent px-3 py-1.5 text-accent-ink text-sm focus:translate-y-0"
        >
          Skip to the page
        </a>
        <header className="flex h-12 shrink-0 items-center gap-1 border-b bg-panel px-3 sm:px-4">
          <Link
            to="/"
            className="mr-3 flex items-center gap-2 rounded-md font-semibold max-sm:mr-1 tracking-tight"
          >
            <img src={seal} alt="" className="size-6 shrink-0" />
            <span className="max-sm:sr-only">Sealwork</span>
          </Link>
          <nav aria-label="Pages" className="flex items-center gap-0.5">
            <NavLink to="/" icon={<ListTree />} text="Jobs" under={["/job/"]} />
            <NavLink to="/settings" icon={<Settings />} text="Settings" under={["/settings"]} />
          </nav>
          <div className="ml-auto flex items-center gap-1.5">
            <IconButton
              label="Find a job, a page or a command"
              shortcut="mod+k"
              onClick={() => setOver("commands")}
            >
              <Command />
            </IconButton>
            <ThemeMenu />
            <Button look="primary" size="md" asChild>
              <Link to="/new" className="ml-1">
                <Plus aria-hidden />
                New job
              </Link>
            </Button>
          </div>
        </header>
        <NewerPageBanner />
        <ConnectionBanner outage={outage} />
        <main ref={main} id="page" tabIndex={-1} className="flex min-h-0 flex-1 flex-col outline-none">
          <Outlet />
        </main>
        {/* What is typed before it is there is meant for it, and must do nothing else. */}
        <Suspense fallback={<span hidden data-keys="wait" />}>
          {over === "commands" && <CommandPalette onClose={close} onShortcuts={() => setOver("shortcuts")} />}
          {over === "shortcuts" && <ShortcutsDialog onClose={close} />}
        </Suspense>
      </div>
    </StaleContext>
  );
}

function NavLink({
  to,
  icon,
  text,
  under,
}: {
  to: "/" | "/settings";
  icon: ReactNode;
  text: string;
  under: string[];
}) {
  const path = useRouterState({ select: ({ location }) => location.pathname });
  const current = path === to || under.some((start) => path.startsWith(start));
  return (
    <Link
      to={to}
      aria-current={current ? "page" : undefined}
      className={clsx(
        "flex h-8 items-center gap-1.5 rounded-md px-2 text-sm [&_svg]:size-4",
        current ? "bg-hover font-medium text-ink" : "text-soft hover:bg-hover hover:text-ink",
      )}
    >
      {icon}
      {/* On a phone there is room for the word of one of them. */}
      <span className={clsx(!current && "max-[27rem]:sr-only")}>{text}</span>
    </Link>
  );
}

function ThemeMenu() {
  const theme = useTheme();
  const options = [
    { value: "system", label: <ThemeLabel icon={<Monitor />} text="As the system" /> },
    { value: "light", label: <ThemeLabel icon={<Sun />} text="Light" /> },
    { value: "dark", label: <ThemeLabel icon={<Moon />} text="Dark" /> },
  ];
  return (
    <Menu
      trigger={
        <IconButton label="Theme">
          {theme === "system" ? <Monitor /> : theme === "light" ? <Sun /> : <Moon />}
        </IconButton>
      }
    >
      <MenuRadio value={theme} onChange={(value) => setTheme(value as Theme)} options={options} />
    </Menu>
  );
}

function ThemeLabel({ icon, text }: { icon: ReactNode; text: string }) {
  return (
    <>
      {icon}
      {text}
    </>
  );
}
