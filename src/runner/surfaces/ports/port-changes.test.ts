import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CLOSED_AFTER_MS,
  EPHEMERAL_AFTER_MS,
  EVENTS_MAX,
  EVENTS_PER_PORT_MAX,
  PortChanges,
} from "./port-changes.ts";

const listening = (...ports: number[]) => new Map(ports.map((port) => [port, "node"]));

test("a port that opens is told at once, and one that closes when it stays closed", () => {
  const changes = new PortChanges();
  const opened = { type: "port.opened", data: { port: 5173, process: "node" } };
  assert.deepEqual(changes.seen(listening(5173), 0), [opened]);
  assert.deepEqual(changes.seen(listening(5173), 500), []);
  assert.deepEqual(changes.seen(listening(), 1000), []);
  assert.deepEqual(changes.seen(listening(), 499 + CLOSED_AFTER_MS), []);
  assert.deepEqual(changes.seen(listening(), 500 + CLOSED_AFTER_MS), [
    { type: "port.closed", data: { port: 5173 } },
  ]);
  assert.deepEqual(changes.seen(listening(), 9000), []);
  assert.deepEqual(changes.seen(listening(5173), 9500), [opened]);
});

test("a server that starts again is no news", () => {
  const changes = new PortChanges();
  changes.seen(listening(80), 0);
  assert.deepEqual(changes.seen(listening(), 500), []);
  assert.deepEqual(changes.seen(listening(80), 1000), []);
});

test("a port that the system chose is told when it lasts", () => {
  const changes = new PortChanges();
  assert.deepEqual(changes.seen(listening(40_000), 0), []);
  assert.deepEqual(changes.seen(listening(), 500), []);
  assert.deepEqual(changes.seen(listening(40_000), 1000), []);
  assert.equal(changes.seen(listening(40_000), 1000 + EPHEMERAL_AFTER_MS).length, 1);
});

test("what opens and closes for ever is told so often and no more, and last that it closed", () => {
  const changes = new PortChanges();
  const told = [];
  for (let turn = 0; turn < 100; turn += 1) {
    told.push(...changes.seen(listening(80), turn * 10_000));
    told.push(...changes.seen(listening(), turn * 10_000 + 5000));
  }
  assert.equal(told.length, EVENTS_PER_PORT_MAX);
  assert.equal(told.at(-1)?.type, "port.closed");
  const many = Array.from({ length: 20_000 }, (_, index) => index + 1);
  assert.ok(new PortChanges().seen(listening(...many), 0).length <= EVENTS_MAX);
});
