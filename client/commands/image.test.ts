import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ImageFormat } from "../../proto/gen/hps/v1/agent_pb.ts";
import {
  type Image,
  ImageSchema,
  ImageSignerSchema,
  type ImportImage,
  type ImportImageRequest,
  type ImportInstaller,
  type ImportInstallerRequest,
} from "../../proto/gen/hps/v1/image_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { makeDebianTree } from "../testing/debian-tree.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";

const start = useServers();
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "image-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** hpsd that takes images and installers, and keeps what it was sent. */
async function library(images: readonly Image[] = []) {
  const took = { images: [] as ImportImage[], installers: [] as ImportInstaller[], bytes: [] as Uint8Array[] };
  const removed: string[] = [];
  const server = await start({
    images: {
      importImage: async (requests: AsyncIterable<ImportImageRequest>) => {
        for await (const { message } of requests) {
          if (message.case === "image") took.images.push(message.value);
          else if (message.case === "data") took.bytes.push(message.value);
        }
        const [image] = took.images;
        return {
          name: image?.name ?? "",
          cluster: image?.cluster ?? "",
          ...(image?.source && { source: image.source }),
        };
      },
      listImages: async () => ({ images: [...images], nextPageToken: "" }),
      getImage: async ({ name }) => {
        const found = images.find((image) => image.name === name);
        if (found === undefined) throw new HpsError("not-found", `no image ${name}`);
        return found;
      },
      deleteImage: async ({ cluster, name }) => {
        removed.push(`${cluster} ${name}`);
        return {};
      },
    },
    installers: {
      importInstaller: async (requests: AsyncIterable<ImportInstallerRequest>) => {
        for await (const { message } of requests) {
          if (message.case === "installer") took.installers.push(message.value);
          else if (message.case === "data") took.bytes.push(message.value);
        }
        const [installer] = took.installers;
        return { version: installer?.version ?? "", files: installer?.files ?? [] };
      },
    },
  });
  const environment = { ...server.environment, HOME: folder };
  return { server: { ...server, environment }, took, removed };
}

function archive(name: string, ...options: string[]): string {
  const path = join(folder, name);
  execFileSync("tar", ["-C", makeDebianTree(folder), ...options, "-cf", path, "."]);
  return path;
}

test.each([
  ["a.tar", [], ImageFormat.TAR],
  ["a.tar.zst", ["--zstd"], ImageFormat.TAR_ZSTD],
  ["a.tar.xz", ["--xz"], ImageFormat.TAR_XZ],
])("--archive: import of %s says what it holds and sends its bytes as they are", async (name, options, format) => {
  const { server, took } = await library();
  const path = archive(name, ...options);
  const { code, err } = await hpsctl(server, ["image", "import", "debian/web:1", path, "--archive"]);
  expect({ code, err }).toMatchObject({
    code: 0,
    err: expect.stringContaining("it holds Test OS 12, kernel 6.1.0-1-amd64\n"),
  });
  const bytes = readFileSync(path);
  expect(Buffer.concat(took.bytes).equals(bytes)).toBe(true);
  expect(Math.max(...took.bytes.map(({ length }) => length))).toBeLessThanOrEqual(256 * 1024);
  expect(took.images).toMatchObject([
    {
      cluster: "lab",
      name: "debian/web:1",
      system: "Test OS 12",
      kernel: "6.1.0-1-amd64",
      source: {
        file: { digest: createHash("sha256").update(bytes).digest("hex"), sizeBytes: BigInt(bytes.length) },
        format,
        contentBytes: 600_000n + 12n + 25n,
        entries: 10n,
        lacks: [],
      },
    },
  ]);
});

test("--archive: a folder is packed, sent and its archive taken away; what it lacks is said", async () => {
  const { server, took } = await library();
  const root = makeDebianTree(folder);
  rmSync(join(root, "boot"), { recursive: true });
  const { code, err } = await hpsctl(server, ["image", "import", "a:1", root, "--archive", "--cluster", "other"]);
  expect(code).toBe(0);
  expect(err).toContain("warning: it has no kernel, no initrd: it is kept, but cannot be installed\n");
  expect(took.images).toMatchObject([
    { cluster: "other", source: { format: ImageFormat.TAR_ZSTD, lacks: ["kernel", "initrd"] } },
  ]);
  expect(execFileSync("tar", ["--zstd", "-t"], { input: Buffer.concat(took.bytes) }).toString()).toContain(
    "usr/sbin/init\n",
  );
  expect(readdirSync(join(folder, ".cache/hps/import"))).toEqual([]);
});

test.each([
  ["half.tar.zst", (bytes: Buffer) => bytes.subarray(0, bytes.length / 2), 2],
  ["a.tar.gz", (_: Buffer) => Buffer.from("1f8b0800", "hex"), 12],
])("%s is refused before anything is sent", async (name, change, exit) => {
  const { server, took } = await library();
  const path = archive("whole.tar.zst", "--zstd");
  writeFileSync(join(folder, name), change(readFileSync(path)));
  const { code } = await hpsctl(server, ["image", "import", "a:1", join(folder, name), "--archive"]);
  expect({ code, images: took.images }).toEqual({ code: exit, images: [] });
});

test("a cut xz file is named, and so is a missing one", async () => {
  const { server } = await library();
  const whole = archive("whole.tar.xz", "--xz");
  writeFileSync(join(folder, "half.tar.xz"), readFileSync(whole).subarray(0, 500));
  const half = await hpsctl(server, ["image", "import", "a:1", join(folder, "half.tar.xz"), "--archive"]);
  expect(half).toMatchObject({ code: 2, err: expect.stringContaining("the archive is no whole xz file") });
  const gone = await hpsctl(server, ["image", "import", "a:1", join(folder, "gone"), "--archive"]);
  expect(gone).toMatchObject({ code: 3, err: expect.stringContaining("there is no file ") });
});

test("a name that is taken by another archive is hpsd's refusal, also before all was sent", async () => {
  const server = await start({
    images: {
      importImage: async () => {
        throw new HpsError("exists", "image a:1 is there already, with other content");
      },
    },
  });
  const large = join(folder, "large.tar");
  mkdirSync(join(folder, "large"));
  writeFileSync(join(folder, "large/f"), Buffer.alloc(20 << 20));
  execFileSync("tar", ["-C", join(folder, "large"), "-cf", large, "."]);
  const environment = { ...server.environment, HOME: folder };
  const { code, err } = await hpsctl({ environment }, ["image", "import", "a:1", large, "--archive"]);
  expect({ code, err }).toMatchObject({ code: 6, err: expect.stringContaining("is there already") });
});

const IMAGE = create(ImageSchema, {
  id: "i1",
  cluster: "lab",
  name: "debian/web:1",
  system: "Debian\x1b[2J",
  kernel: "6.1",
  source: {
    file: { digest: "ab", sizeBytes: 1048576n },
    contentBytes: 2097152n,
    entries: 7n,
    lacks: ["init"],
    format: 2,
  },
});

test("ls and get show images; hostile text is safe", async () => {
  const { server } = await library([IMAGE]);
  expect((await hpsctl(server, "image ls")).out).toBe(
    [
      "CLUSTER  NAME          SYSTEM         KERNEL  SIZE   LACKS  IMPORTED",
      "lab      debian/web:1  Debian\\x1b[2J  6.1     2 MiB  init   -",
      "",
    ].join("\n"),
  );
  expect((await hpsctl(server, "image ls -o name")).out).toBe("debian/web:1\n");
  expect(JSON.parse((await hpsctl(server, "image get debian/web:1 -o json")).out)).toMatchObject({ kernel: "6.1" });
  expect((await hpsctl(server, "image get debian/web:1")).out).toMatch(
    /ARCHIVE: +1 MiB\n.*FORMAT: +tar-zstd\n.*DIGEST: +sha256:ab\n/s,
  );
  expect((await hpsctl(server, "image get none:1")).code).toBe(3);
  expect((await hpsctl(server, "image ls -o wide")).out).toMatch(/SIGNED BY .*\n.* unsigned +sha256:ab /);
  const signers = [
    { keyId: "cd".repeat(32), label: "" },
    { keyId: "ef".repeat(32), label: "release\x1b[2J" },
  ];
  const signed = await library([{ ...IMAGE, signers: signers.map((signer) => create(ImageSignerSchema, signer)) }]);
  expect((await hpsctl(signed.server, "image ls -o wide")).out).toContain(" key cdcdcdcdcdcd, release\\x1b[2J ");
  expect(JSON.parse((await hpsctl(signed.server, "image ls -o json")).out)).toMatchObject([{ signers }]);
});

test("tag gives an image one more name, by name or digest, in its library", async () => {
  const asked: unknown[] = [];
  const server = await start({
    images: {
      tagImage: async ({ cluster, image, name, move, expireTime }) => {
        asked.push([cluster, image, name, move, ...(expireTime === undefined ? [] : [expireTime.seconds > 0n])]);
        return { ...IMAGE, name };
      },
    },
  });
  const digest = `sha256:${"ab".repeat(32)}`;
  expect((await hpsctl(server, "image tag debian/web:1 debian/web:stable --move -o name")).out).toBe(
    "debian/web:stable\n",
  );
  expect((await hpsctl(server, `image tag ${digest} web:2 --expires 30d`)).code).toBe(0);
  expect((await hpsctl(server, "image tag shared/a:1 shared/a:2")).code).toBe(0);
  expect((await hpsctl(server, `image tag web:1 ${digest}`)).code).toBe(2);
  expect(asked).toEqual([
    ["lab", "debian/web:1", "debian/web:stable", true],
    ["lab", digest, "web:2", false, true],
    ["", "shared/a:1", "shared/a:2", false],
  ]);
});

test("rm asks first", async () => {
  const { server, removed } = await library([IMAGE]);
  expect((await hpsctl(server, "image rm debian/web:1")).code).toBe(2);
  expect((await hpsctl(server, "image rm debian/web:1", { tty: true, input: "no\n" })).code).toBe(130);
  expect(removed).toEqual([]);
  expect((await hpsctl(server, "image rm debian/web:1 --yes")).code).toBe(0);
  expect(removed).toEqual(["lab debian/web:1"]);
});

test("build --import refuses a name that is taken before it builds", async () => {
  const { server } = await library([IMAGE]);
  const { code, err } = await hpsctl(server, "image build debian/web:1 --import");
  expect({ code, err }).toMatchObject({ code: 6, err: expect.stringContaining("has an image debian/web:1 already") });
});

const SET_FILES = ["kernel", "initrd.img", "tools.squashfs", "grub.efi", "ipxe.efi", "undionly.kpxe"];

function makeSet(): string {
  const set = join(folder, "set");
  mkdirSync(set);
  const files = SET_FILES.map((name) => {
    const bytes = Buffer.from(`content of ${name}`);
    writeFileSync(join(set, name), bytes);
    return { name, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  });
  writeFileSync(join(set, "installer.json"), JSON.stringify({ format: 1, version: "0.1.0", files }));
  return set;
}

test("installer-image import sends the set's files in their order", async () => {
  const { server, took } = await library();
  const { code, out } = await hpsctl(server, ["installer-image", "import", makeSet()]);
  expect(code).toBe(0);
  expect(out).toContain("undionly.kpxe");
  expect(took.installers).toMatchObject([{ version: "0.1.0", files: SET_FILES.map((name) => ({ name })) }]);
  expect(Buffer.concat(took.bytes).toString()).toBe(SET_FILES.map((name) => `content of ${name}`).join(""));
});

test("a set with a file that was changed or is missing is not sent", async () => {
  const { server, took } = await library();
  const set = makeSet();
  writeFileSync(join(set, "kernel"), "content of KERNEL");
  const changed = await hpsctl(server, ["installer-image", "import", set]);
  expect(changed).toMatchObject({ code: 13, err: expect.stringContaining("kernel is not the file") });
  rmSync(join(set, "installer.json"));
  expect((await hpsctl(server, ["installer-image", "import", set])).code).toBe(3);
  expect(took.installers).toEqual([]);
});
