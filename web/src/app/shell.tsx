import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import clsx from "clsx";
import { ListTree, Monitor, Moon, Plus, Settings, Sun } from "lucide-react";
import { type ReactNode, useState } from "react";
import seal from "../assets/seal.svg";
import { Button, IconButton } from "../ui/button.tsx";
import { Menu, MenuRadio } from "../ui/menu.tsx";
import { ConnectionBanner } from "./connection-banner.tsx";
import { useShortcut } from "./shortcuts.ts";
import { setTheme, storedTheme, type Theme } from "./theme.ts";

/** What stands around every page but the sign-in. */
export function Shell() {
  const navigate = useNavigate();
  useShortcut({ keys: "g j", does: "Go to the jobs" }, () => void navigate({ to: "/" }));
  useShortcut({ keys: "g s", does: "Go to the settings" }, () => void navigate({ to: "/settings" }));
  useShortcut({ keys: "c", does: "New job" }, () => void navigate({ to: "/new" }));
  return (
    <div className="flex h-full flex-col">
      <a
        href="#page"
        className="-translate-y-12 absolute top-2 left-2 z-50 rounded-md bg-accent px-3 py-1.5 text-accent-ink text-sm focus:translate-y-0"
      >
        Skip to the page
      </a>
      <header className="flex h-12 shrink-0 items-center gap-1 border-b bg-panel px-3 sm:px-4">
        <Link to="/" className="mr-3 flex items-center gap-2 rounded-md font-semibold tracking-tight">
          <img src={seal} alt="" className="size-6" />
          <span className="max-sm:sr-only">Sealwork</span>
        </Link>
        <nav aria-label="Pages" className="flex items-center gap-0.5">
          <NavLink to="/" icon={<ListTree />} text="Jobs" under={["/job/"]} />
          <NavLink to="/settings" icon={<Settings />} text="Settings" under={["/settings"]} />
        </nav>
        <div className="ml-auto flex items-center gap-1.5">
          <ThemeMenu />
          <Button look="primary" size="md" asChild>
            <Link to="/new">
              <Plus aria-hidden />
              New job
            </Link>
          </Button>
        </div>
      </header>
      <ConnectionBanner />
      <main id="page" tabIndex={-1} className="flex min-h-0 flex-1 flex-col outline-none">
        <Outlet />
      </main>
    </div>
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
      {text}
    </Link>
  );
}

function ThemeMenu() {
  const [theme, choose] = useState(storedTheme);
  const change = (value: string): void => {
    const wanted = value as Theme;
    setTheme(wanted);
    choose(wanted);
  };
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
      <MenuRadio value={theme} onChange={change} options={options} />
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
