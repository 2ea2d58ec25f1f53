import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BEACON_PATH, type Beacon, parseBeacon } from "../../proto/config/beacon.ts";
import { parseMac } from "../../proto/values/mac.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import { LogTail } from "../log-tail.ts";
import { runBeacon, sendBeacon } from "./beacon.ts";
import { Situation } from "./situation.ts";

let server: Server;
let heard: Beacon[];
let stop: AbortController;
beforeEach(async () => {
  [heard, stop] = [[], new AbortController()];
  server = createServer(async (request, response) => {
    heard.push(parseBeacon(await text(request)));
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(() => {
  stop.abort();
  server.close();
});

function beacon() {
  // A listening TCP server's address is never a path.
  const { port } = server.address() as AddressInfo;
  const [situation, tail] = [new Situation(), new LogTail()];
  const url = new URL(BEACON_PATH, `http://127.0.0.1:${port}`);
  const who = { mac: parseMac("52:54:00:12:34:56"), installation: parseUuid("0190a3c4-0000-7000-8000-000000000001") };
  return { url, ...who, situation, tail, times: { patience: 20, look: 5, soonest: 20, seldom: 60_000 } };
}

test("an agent that is not attached tells where it stands and what it said last; an attached one is silent", async () => {
  const options = beacon();
  options.tail.push("2026-01-01T00:00:00Z warn  no answer\n");
  options.situation.change({ doing: "enrolment", problem: "hpsd does not answer" });
  void runBeacon(options, stop.signal);
  await expect
    .poll(() => heard[0])
    .toEqual({
      ...{ mac: options.mac, installation: options.installation, step: "enrolment", reason: "hpsd does not answer" },
      log: "2026-01-01T00:00:00Z warn  no answer\n",
    });
  options.situation.change({ problem: "hpsd refused it" });
  await expect.poll(() => heard.at(-1)?.reason).toBe("hpsd refused it");
  options.situation.change({ attached: true, problem: "attached" });
  const count = heard.length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(heard.length - count).toBeLessThanOrEqual(1); // one may have been on its way
});

test("one that nobody takes is an error, not a wait", async () => {
  const options = beacon();
  server.close();
  await expect(sendBeacon(options)).rejects.toThrow();
});

test("the tail is no longer than a beacon carries, and is the end", () => {
  const tail = new LogTail();
  for (let line = 0; line < 1000; line++) tail.push(`line ${line}\n`);
  expect(tail.text.length).toBeLessThanOrEqual(4096);
  expect(tail.text.endsWith("line 998\nline 999\n")).toBe(true);
});
