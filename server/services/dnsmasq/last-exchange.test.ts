import { expect, test } from "vitest";
import { parseIpv4 } from "../../../proto/values/ip-address.ts";
import { parseMac } from "../../../proto/values/mac.ts";
import { LastExchange } from "./last-exchange.ts";
import { NO_WORDS } from "./lease-event.ts";

const lease = { mac: parseMac("52:54:00:00:00:01"), address: parseIpv4("10.77.0.100"), client: NO_WORDS };
const other = parseMac("52:54:00:00:00:02");

test("an exchange is when the machine asked, whatever dnsmasq repeats later", () => {
  const exchanges = new LastExchange();
  const at = (kind: "add" | "old" | "del", expiresAt: number, now: number, mac = lease.mac) =>
    exchanges.date({ ...lease, mac, kind, expiresAt }, now, 120).seenAt;
  expect(at("add", 220_000, 100_000)).toBe(100_000);
  expect(at("old", 220_000, 150_000)).toBe(100_000); // a reload
  expect(at("old", 280_000, 160_000)).toBe(160_000); // a renewal
  expect(at("old", 280_000, 170_000)).toBe(160_000);
  expect(at("del", 280_000, 280_000)).toBe(160_000);
  expect(at("old", 400_000, 290_000, other)).toBe(280_000); // first heard of in a repetition: 120 s before its end
  expect(at("old", 900_000, 300_000)).toBe(300_000); // never in the future
  expect(at("old", 400_000, 310_000, other)).toBe(280_000);
  expect(exchanges.date({ kind: "pxe", mac: other }, 5, 120).seenAt).toBe(5);
});
