import { resolve } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { imageRefParts, parseImageRef } from "../../proto/values/image-ref.ts";
import { roundSize } from "../../proto/values/size.ts";
import type { WrittenImage } from "../build/image-file.ts";
import type { OsImageWords } from "../build/os-image-order.ts";
import { BuildScreen } from "../output/build-screen.ts";
import { printOne, type View } from "../output/print.ts";
import type { Call } from "./call.ts";
import type { Tools } from "./group.ts";
import { each } from "./options.ts";

const HELP = `
The image is plain Debian, made by mmdebstrap: a kernel with an initrd for any hardware Debian supports, systemd with its network
and time services, and an SSH server. It holds no host name, machine id, SSH host keys, package lists or logs; root has no
password. Packages come from this machine's own apt sources and are kept in ~/.cache/hps for the next time. SOURCE_DATE_EPOCH
makes two builds from the same archive equal.
  hpsctl image build debian/web:12.1 --package nginx --ssh-key ~/.ssh/id_ed25519.pub
  hpsctl image build debian/base:12 --file motd:/etc/motd --script ./tune.sh --out base.tar.zst`;

/** `image build`. */
export function addImageBuildCommand(group: Command, tools: Tools): void {
  group
    .command("build")
    .description("make a Debian image on this machine")
    .argument("<name:tag>")
    .option("--suite <suite>", "Debian release", "bookworm")
    .option("--kernel <package>", "package of the kernel", "linux-image-amd64")
    .option("--package <name>", "install it too; may be given again", each)
    .option("--file <source:destination>", "copy a file or folder into it, owned by root; may be given again", each)
    .option("--script <file>", "run it in the image, after everything else; may be given again", each)
    .option("--ssh-key <file>", "public key that may log in as root; may be given again", each)
    .option("--mirror <url>", "Debian archive instead of this machine's apt sources")
    .option("--out <file>", "where to put it (default: NAME_TAG.tar.zst)")
    .addHelpText("after", HELP)
    .action(tools.run(build));
}

interface BuildOptions extends OsImageWords {
  readonly out?: string;
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
  const name = parseImageRef(call.operand(0));
  const { out, ...words } = call.options<BuildOptions>();
  const { buildOsImage } = await import("../build/os-image.ts");
  const { parseOsImageOrder } = await import("../build/os-image-order.ts");
  const order = parseOsImageOrder(words);
  const { environment, signal, now } = call.terminal;
  const screen = new BuildScreen(call.terminal);
  const path = resolve(out ?? fileName(name));
  try {
    const onLine = (line: string) => screen.show(line);
    const written = await buildOsImage({ order, out: path, environment, signal, now, onLine });
    screen.done();
    await printOne(call, BUILT_VIEW, { ...written, name });
  } catch (error) {
    screen.done();
    if (!signal.aborted) screen.failed();
    throw error;
  }
  return 0;
}

/** `debian-web_12.tar.zst` */
function fileName(ref: ReturnType<typeof parseImageRef>): string {
  const { name, tag } = imageRefParts(ref);
  return `${name.replaceAll("/", "-")}_${tag}.tar.zst`;
}
