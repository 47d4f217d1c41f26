import { Outlet } from "@tanstack/react-router";

export function SettingsPage() {
  return <Outlet />;
}
