import { expect, test } from "vitest";
import { PassingReason, VerifiedKind, VerifiedState } from "../../proto/gen/hps/v1/image_pb.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";

const start = useServers();
const PACK = "ab".repeat(32);
const WHOLE = {
  kind: VerifiedKind.PACK,
  digest: PACK,
  sizeBytes: 3n << 20n,
  state: VerifiedState.WHOLE,
  images: ["a:1"],
};

test("gc says what was given back, of the cluster's library or the shared one, and exits with 13 for a damaged pack", async () => {
  const asked: string[] = [];
  let damagedPacks: string[] = [];
  const server = await start({
    images: {
      collectImages: async ({ cluster }) => {
        asked.push(cluster);
        return {
          retiredPacks: 2,
          retiredBytes: 2n << 20n,
          madePacks: 1,
          madeBytes: 1n << 20n,
          waitingBytes: 5n,
          damagedPacks,
        };
      },
    },
  });
  const { code, out, err } = await hpsctl(server, "image gc");
  expect([code, out]).toEqual([0, expect.stringMatching(/RETIRED SIZE: +2 MiB\nNEW PACKS: +1\nNEW SIZE: +1 MiB/)]);
  expect(err).toContain("what is retired stays for an hour");
  expect((await hpsctl(server, "image gc --shared -o json")).out).toContain('"retiredPacks": 2');
  damagedPacks = [PACK];
  const damaged = await hpsctl(server, "image gc");
  expect([damaged.code, damaged.err]).toEqual([13, expect.stringMatching(/pack abab.*hpsctl image verify/s)]);
  expect(asked).toEqual(["lab", "", "lab"]);
});

test("gc --dry-run says which names would go, and asks that nothing be changed", async () => {
  const asked: object[] = [];
  const passedNames = [
    { name: "web:1", digest: PACK, reason: PassingReason.SURPLUS, last: true },
    { name: "web:old", digest: PACK, reason: PassingReason.EXPIRED, last: false },
  ];
  const server = await start({
    images: {
      collectImages: async ({ cluster, dryRun, keep }) => {
        asked.push({ cluster, dryRun, keep });
        return { passedNames, passedCount: 1002, retiredPacks: 2, retiredBytes: 2n << 20n };
      },
    },
  });
  const { code, out } = await hpsctl(server, "image gc --dry-run");
  expect(code).toBe(0);
  expect(out).toMatch(/NAMES TO GO: +1002\nPACKS TO RETIRE: +2\nSIZE TO RETIRE: +2 MiB/);
  expect(out).toMatch(/web:1 +surplus +goes too +sha256:abab.*\nweb:old +expired +has other names .*\nand 1000 more\n/);
  expect((await hpsctl(server, "image gc --dry-run --shared --keep 3")).code).toBe(0);
  const wrong = await hpsctl(server, "image gc --keep 3");
  expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining("--keep is for --dry-run")]);
  expect((await hpsctl(server, "image gc --dry-run --keep 0")).code).toBe(2);
  expect(asked).toEqual([
    { cluster: "lab", dryRun: true, keep: 0 },
    { cluster: "", dryRun: true, keep: 3 },
  ]);
});

test("verify lists what is not whole and what to do, and exits with 13", async () => {
  let found: { readonly state: VerifiedState }[] = [WHOLE];
  const server = await start({
    images: {
      async *verifyImages() {
        yield* found;
      },
    },
  });
  const whole = await hpsctl(server, "image verify");
  expect([whole.code, whole.err]).toEqual([
    0,
    expect.stringContaining("1 files and images verified, 3 MiB; 0 are not whole"),
  ]);
  const problems = ["its frame there: object 2 has\u001b[31m", "its SHA-256 is x"];
  found = [WHOLE, { ...WHOLE, state: VerifiedState.DAMAGED, ...{ problems } }];
  const { code, out, err } = await hpsctl(server, "image verify");
  expect(code).toBe(13);
  expect(out).toMatch(/pack +damaged +abab.* a:1 .*object 2 has/);
  expect(out).not.toContain("\u001b");
  expect(err).toMatch(/1 of 2 files and images are not whole.*import a:1 again/s);
  expect((await hpsctl(server, "image verify -o name")).out).toBe(`${PACK}\n`);
});

test("verify tells of files that nothing names, which is no damage, and of those on the way", async () => {
  const orphan = {
    ...WHOLE,
    digest: "",
    file: "packs/incoming-1",
    sizeBytes: 5n << 20n,
    state: VerifiedState.ORPHAN,
    images: [],
  };
  const found = [WHOLE, { ...orphan, problems: ["nothing names it"] }, { ...orphan, state: VerifiedState.ARRIVING }];
  const server = await start({
    images: {
      async *verifyImages() {
        yield* found;
      },
    },
  });
  const { code, out, err } = await hpsctl(server, "image verify");
  expect([code, out]).toEqual([0, expect.stringMatching(/pack +orphan +packs\/incoming-1 +- +nothing names it\n$/)]);
  expect(err).toMatch(
    /1 files and images verified, 3 MiB; 0 are not whole\n1 file is there that nothing names, 5 MiB\n1 file is there on the way/,
  );
  expect((await hpsctl(server, "image verify -o json")).out).toContain('"file": "packs/incoming-1"');
});

test("delta asks for what turns one image into another, and shows it", async () => {
  const asked: object[] = [];
  const server = await start({
    images: {
      makeDelta: async ({ cluster, base, target }) => {
        asked.push({ cluster, base, target });
        return { digest: PACK, sizeBytes: 3n << 20n, base: "a", target: "b" };
      },
    },
  });
  const { code, out } = await hpsctl(server, "image delta web:1 web:2");
  expect([code, out]).toEqual([0, expect.stringMatching(/SIZE: +3 MiB\nSHA-256: +abab/)]);
  expect((await hpsctl(server, "image delta shared/web:1 shared/web:2")).code).toBe(0);
  expect(asked).toEqual([
    { cluster: "lab", base: "web:1", target: "web:2" },
    { cluster: "", base: "shared/web:1", target: "shared/web:2" },
  ]);
  expect((await hpsctl(server, "image delta web")).code).toBe(2);
});
