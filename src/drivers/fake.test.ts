import { randomBytes } from "node:crypto";
import { driverContract } from "./driver.contract.ts";
import { createFakeDriver, FakeBackend } from "./fake.ts";

driverContract("the fake driver", async () => {
  const backend = new FakeBackend();
  backend.images = new Set(["fake"]);
  return {
    open: async (installation) => createFakeDriver(backend, installation),
    spec: async (overrides) => ({
      id: `s${randomBytes(8).toString("hex").slice(0, 15)}`,
      job_id: "0190a8a0-0000-7000-8000-000000000001",
      volume: `v-${randomBytes(6).toString("hex")}`,
      image: "fake",
      link_folder: "/nowhere",
      limits: { cpus: 1, memory_bytes: 128 * 1024 ** 2, pids: 64 },
      runtime: null,
      ...overrides,
    }),
    exit: async (_driver, spec, code) => backend.exit(spec.id, code),
    close: async () => {},
  };
});
