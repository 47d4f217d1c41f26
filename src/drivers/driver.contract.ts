import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, describe, test } from "node:test";
import type { SandboxDriver, SandboxSpec, SandboxStatus } from "../core/driver.ts";

const DEADLINE_MS = 30_000;

/** What a driver's test hands in; every sandbox it starts must go on until it is told to end. */
export type DriverUnderTest = {
  /** A driver of that installation; all of them share one backend. */
  open(installation: string): Promise<SandboxDriver & AsyncDisposable>;
  spec(overrides?: Partial<SandboxSpec>): Promise<SandboxSpec>;
  /** Ends the sandbox from within, so that its exit code is this. */
  exit(driver: SandboxDriver, spec: SandboxSpec, code: number): Promise<void>;
  close(): Promise<void>;
};

/** The suite that every driver runs. */
export function driverContract(name: string, start: () => Promise<DriverUnderTest>): void {
  describe(`${name} as a sandbox driver`, async () => {
    const subject = await start();
    const own = randomBytes(6).toString("hex");
    const driver = await subject.open(own);
    const foreign = await subject.open(`${own}x`);
    const made: SandboxSpec[] = [];
    const signal = () => AbortSignal.timeout(DEADLINE_MS);
    const create = async (overrides: Partial<SandboxSpec> = {}): Promise<SandboxSpec> => {
      const spec = await subject.spec(overrides);
      made.push(spec);
      await driver.create(spec, signal());
      return spec;
    };
    const find = async (spec: SandboxSpec): Promise<SandboxStatus | undefined> =>
      (await driver.list(signal())).find((status) => status.id === spec.id);

    after(async () => {
      for (const spec of made) {
        await driver.destroy(spec.id, { keep_volume: false }, signal());
        await driver.destroyVolume(spec.volume, signal());
      }
      await driver[Symbol.asyncDispose]();
      await foreign[Symbol.asyncDispose]();
      await subject.close();
    });

    test("says what the backend has", async () => {
      const info = await driver.info(signal());
      assert.ok(info.cpus >= 1);
      assert.ok(info.memory_bytes > 0);
      assert.ok(info.engine_version.length > 0);
    });

    test("lists a sandbox that it created, with its job and its volume", async () => {
      const spec = await create();
      const status = await find(spec);
      assert.equal(status?.job_id, spec.job_id);
      assert.equal(status?.volume, spec.volume);
      assert.equal(status?.state, "running");
      assert.equal(status?.reason, null);
    });

    test("creates one sandbox for one id, however often and at once it is asked", async () => {
      const spec = await subject.spec();
      made.push(spec);
      await Promise.all([driver.create(spec, signal()), driver.create(spec, signal())]);
      await driver.create(spec, signal());
      const all = await driver.list(signal());
      assert.equal(all.filter((status) => status.id === spec.id).length, 1);
    });

    test("tells a start, an end with its exit code, and a removal to those who watch", async () => {
      const stop = new AbortController();
      const changes = driver.watch(AbortSignal.any([stop.signal, signal()]))[Symbol.asyncIterator]();
      const first = changes.next();
      const spec = await create();
      const until = async (
        wanted: SandboxStatus["state"],
        next: Promise<IteratorResult<SandboxStatus>>,
      ): Promise<SandboxStatus> => {
        let result = await next;
        while (result.done !== true) {
          if (result.value.id === spec.id && result.value.state === wanted) return result.value;
          result = await changes.next();
        }
        return assert.fail(`the watch ended before ${wanted}`);
      };
      await until("running", first);
      await subject.exit(driver, spec, 7);
      const ended = await until("exited", changes.next());
      assert.equal(ended.exit_code, 7);
      assert.equal(ended.reason, "exited");
      await driver.destroy(spec.id, { keep_volume: false }, signal());
      await until("absent", changes.next());
      stop.abort();
      await assert.rejects(async () => {
        while ((await changes.next()).done !== true);
      });
    });

    test("removes a sandbox and its volume, and again without complaint", async () => {
      const spec = await create();
      await driver.destroy(spec.id, { keep_volume: false }, signal());
      await driver.destroy(spec.id, { keep_volume: false }, signal());
      const all = await driver.list(signal());
      assert.ok(all.every((status) => status.id !== spec.id && status.volume !== spec.volume));
    });

    test("keeps a volume when asked, lists it alone, and gives it to the next sandbox", async () => {
      const spec = await create();
      await driver.destroy(spec.id, { keep_volume: true }, signal());
      const kept = (await driver.list(signal())).find((status) => status.volume === spec.volume);
      assert.equal(kept?.state, "volume_only");
      assert.equal(kept?.id, null);
      assert.equal(kept?.job_id, spec.job_id);
      const next = await create({ volume: spec.volume, job_id: spec.job_id });
      assert.equal((await find(next))?.volume, spec.volume);
      await driver.destroy(next.id, { keep_volume: true }, signal());
      await driver.destroyVolume(spec.volume, signal());
      await driver.destroyVolume(spec.volume, signal());
      assert.ok((await driver.list(signal())).every((status) => status.volume !== spec.volume));
    });

    test("neither lists nor removes what belongs to another installation", async () => {
      const spec = await create();
      assert.deepEqual(await foreign.list(signal()), []);
      await foreign.destroy(spec.id, { keep_volume: false }, signal());
      await foreign.destroyVolume(spec.volume, signal());
      assert.equal((await find(spec))?.state, "running");
    });

    test("says image_missing for an image that the backend does not have", async () => {
      const spec = await subject.spec({ image: "sealwork-test/absent:none" });
      made.push(spec);
      await assert.rejects(driver.create(spec, signal()), { code: "image_missing" });
      assert.equal(await find(spec), undefined);
    });

    test("does nothing for a caller whose signal has aborted", async () => {
      await assert.rejects(driver.list(AbortSignal.abort()), { name: "AbortError" });
    });
  });
}
