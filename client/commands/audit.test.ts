import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { hpsctl, useServers } from "../testing/hpsctl.ts";

const start = useServers();
const HEAD = `sha256:${"ab".repeat(32)}`;
const WHOLE = { events: 7n, firstSequence: 3n, lastSequence: 9n, headDigest: HEAD };

test("audit verify prints the digest to keep, and finds one that was kept", async () => {
  const asked: string[] = [];
  const server = await start({
    audit: {
      verifyAuditLog: async ({ headDigest }) => {
        asked.push(headDigest);
        return { ...WHOLE, foundSequence: headDigest === "" ? 0n : 5n };
      },
    },
  });
  const plain = await hpsctl(server, "audit verify");
  expect([plain.code, plain.err]).toEqual([0, ""]);
  expect(plain.out).toContain("whole");
  expect(plain.out).toContain(HEAD);
  expect((await hpsctl(server, "audit verify -o name")).out).toBe(`${HEAD}\n`);
  expect((await hpsctl(server, `audit verify --head ${HEAD}`)).code).toBe(0);
  expect(asked).toEqual(["", "", HEAD]);
});

test("a broken chain, or a head that is in none, is exit code 13 with where to look", async () => {
  const time = timestampFromMs(Date.parse("2026-11-20T09:30:00Z"));
  const broken = await start({
    audit: { verifyAuditLog: async () => ({ ...WHOLE, breaks: [{ sequence: 6n, time }] }) },
  });
  const { code, out, err } = await hpsctl(broken, "audit verify");
  expect(code).toBe(13);
  expect(out).toContain("broken");
  expect(err).toContain("event 6 does not continue the one before");
  expect(err).toContain("2026-11-20T09:30:00");
  const other = await start({ audit: { verifyAuditLog: async () => WHOLE } });
  const lost = await hpsctl(other, `audit verify --head ${HEAD}`);
  expect(lost.code).toBe(13);
  expect(lost.err).toContain("no event of the audit log has the digest");
});
