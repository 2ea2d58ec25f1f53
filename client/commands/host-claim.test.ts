import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";
import { hostReaders, testHost } from "../testing/test-server.ts";

const start = useServers();
const HELD = testHost(1, { installation: "01890000-0000-7000-8000-000000000001" });

test("host claim writes a private file and never over another", async () => {
  const server = await start({
    hosts: hostReaders([HELD]),
    installations: { issueClaim: async () => ({ claim: "the claim", expireTime: timestampFromMs(0) }) },
  });
  const out = join(server.folder, "claim.json");
  expect((await hpsctl(server, `host claim lab/web0001 --out ${out}`)).code).toBe(0);
  expect(await readFile(out, "utf8")).toBe("the claim");
  expect((await stat(out)).mode & 0o777).toBe(0o600);
  await writeFile(out, "mine");
  const again = await hpsctl(server, `host claim lab/web0001 --out ${out}`);
  expect(again).toMatchObject({ code: 6, err: expect.stringContaining("exists already") });
  expect(await readFile(out, "utf8")).toBe("mine");
});

test("a claim that is refused leaves no file in its place", async () => {
  const server = await start({
    hosts: hostReaders([HELD]),
    installations: {
      issueClaim: async () => {
        throw new HpsError("precondition", "the agent of web0001 is attached");
      },
    },
  });
  expect((await hpsctl(server, `host claim lab/web0001 --out ${join(server.folder, "claim.json")}`)).code).toBe(7);
  expect(await readdir(server.folder)).not.toContain("claim.json");
});
