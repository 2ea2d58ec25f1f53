import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import { expectRefused, MAC, refusalCount } from "../core/gate/testing.ts";
import { selectAudit } from "../store/audit.ts";
import type { BootRoute } from "./boot-door.ts";
import { LOOPBACK, openDoor, QUICK } from "./testing.ts";

const SCRIPT = `/boot/v1/ipxe?mac=${MAC}`;

test("a refusal has the asker's form, its true status, and the incident of its one audit event", async () => {
  await using door = await openDoor();
  const table = [
    [{ agent: "iPXE/1.21.1" }, 200, "text/plain; charset=utf-8", /^#!ipxe\n.*^echo Incident (\S+)$/ms],
    [{ agent: "curl/8" }, 403, "application/json; charset=utf-8", /"incident":"(\S+)"/],
    [{ agent: "Mozilla/5.0" }, 403, "text/html; charset=utf-8", /<code>(\S+)<\/code>/],
    [{ agent: "PXE firmware" }, 403, "text/plain; charset=utf-8", /^incident: (\S+)$/m],
    [
      { agent: "iPXE/1.21.1", accept: "application/json" },
      403,
      "application/json; charset=utf-8",
      /"incident":"(\S+)"/,
    ],
  ] as const;
  for (const [how, status, type, incident] of table) {
    const reply = await door.ask(SCRIPT, how);
    expect(reply).toMatchObject({ status, headers: { "content-type": type, "cache-control": "no-store" } });
    const shown = incident.exec(reply.body.toString())?.[1] ?? "";
    const events = await door.rig.store.read((db) => selectAudit(db, { clusters: "all", incident: shown, limit: 9 }));
    expect(events).toMatchObject([{ action: "boot.script", reason: "web01 is not armed", address: LOOPBACK }]);
  }
  expect(await refusalCount(door.rig)).toBe(table.length);
});

test("an armed host gets its script, then its claim, once; no other method spends it", async () => {
  await using door = await openDoor();
  const id = await door.rig.arm();
  const script = (await door.ask(SCRIPT, { agent: "iPXE/1.21.1" })).body.toString();
  const path = /claim\.img http:\/\/10\.0\.0\.1:7080(\S+)/.exec(script)?.[1] ?? "";
  for (const method of ["HEAD", "POST", "DELETE", "OPTIONS"]) {
    expect(await door.ask(path, { method })).toMatchObject({ status: 501 });
  }
  const claim = await door.ask(path);
  expect(claim).toMatchObject({ status: 200, headers: { "content-type": "application/octet-stream" } });
  expect(claim.body.toString("latin1")).toContain(`"installation":"${id}"`);
  const again = await door.ask(path);
  expect(again.status).toBe(403);
  expect(again.body.toString()).toContain("the claim was fetched before");
  expect(await refusalCount(door.rig)).toBe(1);
});

test("what cannot be read is said to be wrong and is no refusal", async () => {
  await using door = await openDoor();
  const table = [
    ["/", 404],
    ["/boot/v1/ipxe/", 404],
    ["/boot/v1", 404],
    ["http://elsewhere.example/boot/v1/ipxe", 404],
    ["/boot/v1/ipxe", 400],
    ["/boot/v1/ipxe?mac=zz", 400],
    ["/boot/v1/ipxe?mac=%00%ff", 400],
    ["/boot/v1/claims/", 400],
    ["/boot/v1/claims/../../x", 400],
    [`/boot/v1/ipxe?mac=${MAC}&x=${"y".repeat(4_096)}`, 400],
    [`/boot/v1/ipxe?mac=${MAC}&x=${"y".repeat(16_384)}`, 431],
  ] as const;
  for (const [path, status] of table) expect((await door.ask(path)).status, path.slice(0, 60)).toBe(status);
  expect(await refusalCount(door.rig)).toBe(0);
  expect(door.failures).toEqual([]);
});

test("a failure of hpsd tells its incident and nothing else", async () => {
  const serve = async () => {
    throw new Error("the secret text");
  };
  const broken: BootRoute = { methods: ["GET"], serve };
  await using door = await openDoor({ "/broken": broken });
  for (const agent of ["iPXE/1.21.1", "curl/8"]) {
    const reply = await door.ask("/broken", { agent });
    expect(reply.status).toBe(agent === "curl/8" ? 500 : 200);
    expect(reply.body.toString()).toMatch(/incident\d/);
    expect(reply.body.toString()).not.toContain("secret");
  }
  expect(door.failures).toHaveLength(2);
});

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, LOOPBACK).on("error", () => undefined);
  await once(socket, "connect");
  return socket.resume();
}

test("slow and silent peers are cut off while others are answered", async () => {
  await using door = await openDoor();
  const [slow, silent] = [await dial(door.port), await dial(door.port)];
  const cut = Promise.all([once(slow, "close"), once(silent, "close")]);
  slow.write("GET /boot/v1/ipxe HTTP/1.1\r\nHost: x\r\nX-Slow: ");
  expect((await door.ask(SCRIPT)).status).toBe(403);
  await cut;
  await expectRefused(door.rig, door.rig.boot(), "web01 is not armed");
});

test("one machine has 32 connections at most", async () => {
  await using door = await openDoor({}, { ...QUICK, headersTimeout: 60_000, requestTimeout: 60_000 });
  const sockets = await Promise.all(Array.from({ length: 40 }, () => dial(door.port)));
  await expect.poll(() => sockets.filter(({ closed }) => !closed).length, { timeout: 10_000 }).toBe(32);
  for (const socket of sockets) socket.destroy();
  await expect.poll(() => door.ask(SCRIPT).catch(() => undefined), { timeout: 10_000 }).toMatchObject({ status: 403 });
});

test("iPXE hears by the status that what it loads is refused: a script is no claim and no kernel", async () => {
  await using door = await openDoor();
  for (const path of [`/boot/v1/claims/${randomUUID()}`, "/boot/v1/files/grub.efi"]) {
    expect(await door.ask(path, { agent: "iPXE/1.21.1" })).toMatchObject({ status: expect.toSatisfy((s) => s >= 400) });
  }
});
