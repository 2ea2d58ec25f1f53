import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { AGENT_OPTIONS, UNPACK_WORKER } from "../../client/build/installer/agent-bundle.ts";
import { NATIVE_FILE, nativeFilePath } from "../../proto/tree/native/library.ts";
import { ext4Of, putNode } from "./guest-disk.ts";
import { createRack } from "./rack.ts";
import { must } from "./run.ts";
import { guestKernel, smallInitrd } from "./vm/boot-files.ts";
import { limit } from "./vm/calibrate.ts";
import { entriesIn, loggedDisk } from "./vm/flushed-disk.ts";
import { createVm } from "./vm/vm.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
/** Without a processor of its own; the disk is emptied on the way. */
const UNPACK_SECONDS = 120;

/** Finds its disks by their serial numbers, and does what the step `image` does. The kernel writes more often than it would by itself. */
const SCRIPT = `
until [ -e /sys/block/vda ] && [ -e /sys/block/vdb ]; do sleep 0.1; done
for disk in /sys/block/vd*; do
  case "$(cat $disk/serial)" in
    programs) mkdir /programs; mount -t ext4 -o ro /dev/$(basename $disk) /programs ;;
    target) mkdir /target; mount -t ext4 -o commit=1 /dev/$(basename $disk) /target ;;
  esac
done
ln -s /programs/lib /lib64; export LD_LIBRARY_PATH=/programs/lib
/programs/node /programs/resume.cjs /programs/library /target
echo "unpacking ended with $?"
sleep 600
`;

/** What a guest that made an empty ext4 an image has written. */
export interface UnpackedInGuest {
  /** The disk before. */
  readonly disk: string;
  readonly log: string;
  /** How many entries the log had when all was done, and durable. */
  readonly done: number;
}

/** Unpacks the image of a library (see `writeLibrary`) in a machine of its own, by the agent's code as it ships, onto a disk whose writes are logged. */
export async function unpackInGuest(folder: string, library: string): Promise<UnpackedInGuest> {
  await using stack = new AsyncDisposableStack();
  const file = (name: string) => join(folder, name);
  await makePrograms(file("programs"), library);
  await mkdir(file("empty"));
  await ext4Of(file("empty"), file("target"), "512M");
  await must(["cp", "--sparse=always", file("target"), file("target-now")]);
  await writeFile(file("writes"), "");
  await smallInitrd(file("initrd"), SCRIPT);
  const logged = { file: file("target-now"), log: file("writes"), serial: "target" };
  const { kernel } = await guestKernel();
  const rack = stack.use(await createRack());
  const vm = stack.use(
    await createVm({
      ...{ rack, name: "unpack-guest", firmware: "bios", memory: 1024 },
      kernel: { kernel, initrd: file("initrd"), append: "console=ttyS0 quiet" },
      disks: [{ bus: "virtio", file: file("programs"), serial: "programs" }],
      more: loggedDisk(logged),
    }),
  );
  const began = await vm.powerOn();
  const [said] = await vm.console.waitFor(/unpacking ended with \d+/, await limit(UNPACK_SECONDS), began);
  const text = vm.console.text().slice(began);
  if (said !== "unpacking ended with 0" || !text.includes('"entries":')) throw new Error(`the guest printed: ${text}`);
  const done = await entriesIn(logged.log);
  await vm.cutPower();
  return { disk: file("target"), log: logged.log, done };
}

async function makePrograms(disk: string, library: string): Promise<void> {
  const tree = `${disk}.tree`;
  await putNode(tree);
  const options = { ...AGENT_OPTIONS, absWorkingDir: ROOT, legalComments: "none" as const };
  const bundle = async (source: string, name: string) =>
    await build({ ...options, entryPoints: [source], outfile: join(tree, name) });
  await bundle("test/faults/resume-image-here.ts", "resume.cjs");
  await bundle(UNPACK_WORKER, "hps-unpack-worker.cjs");
  await cp(nativeFilePath(), join(tree, NATIVE_FILE));
  await cp(library, join(tree, "library"), { recursive: true });
  await ext4Of(tree, disk, "512M");
}
