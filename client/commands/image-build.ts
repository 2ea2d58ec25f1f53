import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Command } from "commander";
import type { Image } from "../../proto/gen/hps/v1/image_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type ImageRef, imageRefParts, parseImageName } from "../../proto/values/image-ref.ts";
import { roundSize } from "../../proto/values/size.ts";
import type { WrittenImage } from "../build/image-file.ts";
import type { OsImageOrder, OsImageWords } from "../build/os-image-order.ts";
import { cacheFolder } from "../build/package-cache.ts";
import { IMAGE_VIEW } from "../output/image-view.ts";
import { printOne, type View } from "../output/print.ts";
import { onBuildScreen } from "./build-on-screen.ts";
import type { Call } from "./call.ts";
import type { Tools } from "./group.ts";
import type { ImageHome } from "./image-store.ts";
import { interruptible } from "./interruptible.ts";
import { each } from "./options.ts";
import { type StoreOptions, withStoreOptions } from "./store-options.ts";

const HELP = `
The image is plain Debian, made by mmdebstrap: a kernel with an initrd for any hardware Debian supports, systemd with its network
and time services, and an SSH server; with --package network-manager or ifupdown, that one looks after the network. It holds no
host name, machine id, SSH host keys, package lists or logs; root has no password. Packages come from this machine's own apt
sources and are kept in ~/.cache/hps for the next time. SOURCE_DATE_EPOCH makes two builds from the same archive equal.
  hpsctl image build debian/web:12.1 --package nginx --ssh-key ~/.ssh/id_ed25519.pub --import
  hpsctl image build debian/base:12 --file motd:/etc/motd --script ./tune.sh --out base.tar.zst`;

/** `image build`. */
export function addImageBuildCommand(group: Command, tools: Tools): void {
  const command = group
    .command("build")
    .description("make a Debian image on this machine")
    .argument("<name:tag>")
    .option("--suite <suite>", "Debian release", "bookworm")
    .option("--kernel <package>", "package of the kernel", "linux-image-amd64")
    .option("--package <name>", "install it too; may be given again", each)
    .option("--file <source:destination>", "copy a file or folder into it, owned by root; may be given again", each)
    .option("--script <file>", "run it in the image, after everything else; may be given again", each)
    .option("--ssh-key <file>", "public key that may log in as root; may be given again", each)
    .option("--slim", "leave out manual pages, documentation and translations")
    .option("--mirror <url>", "Debian archive instead of this machine's apt sources")
    .option("--out <file>", "where to put it (default: NAME_TAG.tar.zst; nowhere with --import)")
    .option("--import", "bring it into the cluster's library")
    .option("--archive", "with --import: keep it there as one file");
  withStoreOptions(command).addHelpText("after", HELP).action(tools.run(build));
}

interface BuildOptions extends OsImageWords, StoreOptions {
  readonly out?: string;
  readonly import?: true;
  readonly archive?: true;
}

interface Built extends WrittenImage {
  readonly name: string;
}

const BUILT_VIEW: View<Built> = {
  kind: "image file",
  name: ({ path }) => path,
  json: ({ name, path, sizeBytes, digest }): JsonObject => ({ name, path, sizeBytes, digest }),
  columns: [
    { title: "IMAGE", text: ({ name }) => name },
    { title: "FILE", text: ({ path }) => path },
    { title: "SIZE", text: ({ sizeBytes }) => roundSize(sizeBytes) },
    { title: "SHA-256", text: ({ digest }) => digest },
  ],
};

async function build(call: Call): Promise<number> {
  const { import: wanted, out, ...words } = call.options<BuildOptions>();
  const { parseOsImageOrder } = await import("../build/os-image-order.ts");
  const order = parseOsImageOrder(words);
  if (wanted) {
    await printOne(call, IMAGE_VIEW, await buildAndImport(call, order));
    return 0;
  }
  const { name } = parseImageName(call.operand(0));
  await printOne(call, BUILT_VIEW, { ...(await write(call, order, resolve(out ?? fileName(name)))), name });
  return 0;
}

/** Into the library while it is built; by a file where one is wanted, or the library is to keep that file. */
async function buildAndImport(call: Call, order: OsImageOrder): Promise<Image> {
  const { out, archive, move } = call.options<BuildOptions>();
  const { imageHome } = await import("./image-store.ts");
  const home = await imageHome(call, call.operand(0));
  if (!move) await refuseTaken(call, home);
  const label = fileName(home.name);
  if (out === undefined && !archive) {
    const { storeBuilt } = await import("./image-build-store.ts");
    return await interruptible(call, "nothing was imported", () => storeBuilt(call, home, order, label));
  }
  await using folder = await temporaryFolder(call);
  const { path, sizeBytes } = await write(call, order, out === undefined ? join(folder.path, label) : resolve(out));
  const left = out === undefined ? "nothing was imported" : `nothing was imported; the image is in ${path}`;
  return await interruptible(call, left, async () => {
    if (!archive) return await storeFile(call, home, path, label);
    const { sendArchive } = await import("./image-archive.ts");
    return await sendArchive(call, home, { path, sizeBytes, [Symbol.asyncDispose]: async () => undefined }, label);
  });
}

async function storeFile(call: Call, home: ImageHome, path: string, label: string): Promise<Image> {
  const [{ tarSource }, { storeImage }] = await Promise.all([
    import("../image/sources/tar-source.ts"),
    import("./image-store.ts"),
  ]);
  await using source = tarSource(path);
  return await storeImage(call, home, source, label);
}

async function write(call: Call, order: OsImageOrder, out: string): Promise<WrittenImage> {
  const { writeOsImage } = await import("../build/os-image.ts");
  const { environment, signal, now } = call.terminal;
  return await interruptible(call, "no image was written", () =>
    onBuildScreen(call, (onLine) => writeOsImage({ order, out, environment, signal, now, onLine })),
  );
}

/** A name that is taken is found out before the long work, not after it. */
async function refuseTaken(call: Call, home: ImageHome): Promise<void> {
  const hps = await call.connect();
  try {
    await hps.images.getImage(home, call.once);
  } catch (error) {
    if (error instanceof HpsError && error.code === "not-found") return;
    throw error;
  }
  const library = home.cluster === "" ? "the shared library" : `cluster ${home.cluster}`;
  throw new HpsError("exists", `${library} has an image ${home.name} already`, {
    hint: "images never change: give this one another tag, or move the name by --move",
  });
}

async function temporaryFolder(call: Call) {
  const cache = cacheFolder(call.terminal.environment);
  await mkdir(cache, { recursive: true, mode: 0o700 });
  const path = await mkdtemp(join(cache, "image-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** `debian-web_12.tar.zst` */
function fileName(ref: ImageRef): string {
  const { name, tag } = imageRefParts(ref);
  return `${name.replaceAll("/", "-")}_${tag}.tar.zst`;
}
