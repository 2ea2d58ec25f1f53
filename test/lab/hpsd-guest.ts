import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect, type Hps } from "../../client/sdk/connect.ts";
import { makeBundles, PROGRAM } from "../bench/bench-hpsd.ts";
import { type RealHpsd, startHpsd } from "../faults/real-hpsd.ts";
import { forwardInto } from "./forward.ts";
import { ext4Of, putNode } from "./guest-disk.ts";
import { labFolder } from "./janitor.ts";
import { createRack, type Rack } from "./rack.ts";
import { must } from "./run.ts";
import { guestKernel, smallInitrd } from "./vm/boot-files.ts";
import { limit } from "./vm/calibrate.ts";
import { afterPowerCut, entriesIn, loggedDisk } from "./vm/flushed-disk.ts";
import { createVm, type Vm } from "./vm/vm.ts";

const ADDRESS = "10.77.0.2";
const GRPC = 7443;
const MAC = "52:54:00:00:07:01";
const STATE_DISK = "1G";
/** From power-on to a ready hpsd, whose check of the store comes before. */
const BOOT_SECONDS = 60;

/** Finds its disks by their serial numbers, looks at the store, and serves. */
const SCRIPT = `
until [ -e /sys/block/vda ] && [ -e /sys/block/vdb ]; do sleep 0.1; done
for disk in /sys/block/vd*; do
  case "$(cat $disk/serial)" in
    programs) mkdir /programs; mount -t ext4 -o ro /dev/$(basename $disk) /programs ;;
    state) mkdir /state; mount -t ext4 /dev/$(basename $disk) /state ;;
  esac
done
ip link set lo up; ip addr add ${ADDRESS}/24 dev eth0; ip link set eth0 up
ln -s /programs/lib /lib64; export LD_LIBRARY_PATH=/programs/lib
hpsd() { /programs/node /programs/dist/hpsd.js "$@" --config /programs/hpsd.yaml; }
hpsd check; echo "hpsd check ended with $?"
hpsd serve; echo "hpsd serve ended with $?"
poweroff -f
`;

const CONFIG = `state: /state/hpsd
server: { names: [localhost, 127.0.0.1] }
listen: { grpc: "0.0.0.0:${GRPC}", https: "0.0.0.0:7444" }
limits: { connectionsPerAddress: 2000, requestsPerMinute: 100000 }
`;

/** hpsd in a machine of its own, whose power can be cut. Its state is on a disk that keeps what was flushed, and nothing else. */
export interface HpsdGuest {
  /** Boots the machine; resolves when hpsd serves, with a connection of its first operator. */
  readonly start: () => Promise<Hps>;
  /** Cuts the power, and makes the state disk what a guest may count on. Answers with how many bytes of its log of writes that lost. */
  readonly cutPower: () => Promise<number>;
  /** How many entries the log of its writes has. What it acknowledged before this was asked is durable with them. */
  readonly entries: () => Promise<number>;
  /** Cuts the power, and leaves the disk as it was when the machine was started: what was written since is in the log. */
  readonly end: () => Promise<{ readonly disk: string; readonly log: string }>;
  /** Whose state it began with: not running, and as it was then. */
  readonly origin: RealHpsd;
  /** What the machine has printed since it was last started. */
  readonly printed: () => string;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

export interface HpsdGuestOptions {
  /** What it leaves to the kernel when it reaches the disk, which no hpsd does: the changes of its store, or the images that come. */
  readonly unsynced?: "store" | "images";
}

export async function makeHpsdGuest({ unsynced }: HpsdGuestOptions = {}): Promise<HpsdGuest> {
  await using stack = new AsyncDisposableStack();
  const folder = await labFolder();
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const file = (name: string) => join(folder, name);
  const hpsd = stack.use(await startHpsd()); // logs its first operator in
  await hpsd.program().stop();
  await makePrograms(file("programs"), unsynced);
  await makeState(file("state"), hpsd);
  await smallInitrd(file("initrd"), SCRIPT);
  const rack = stack.use(await createRack());
  const logged = { file: file("state-now"), log: file("writes"), serial: "state" };
  const vm = stack.use(await machine(rack, { initrd: file("initrd"), programs: file("programs"), logged }));
  const forward = await forwardInto(rack.server.ns, ADDRESS, GRPC);
  stack.defer(() => forward.close());
  const environment = { HPSCONFIG: join(hpsd.folder, "hpsctl.yaml") };
  let began = 0;
  const kept = stack.move();
  return {
    async start() {
      await must(["cp", "--sparse=always", file("state"), logged.file]);
      await writeFile(logged.log, "");
      began = await vm.powerOn();
      await vm.console.waitFor(/hpsd is ready/, await limit(BOOT_SECONDS), began);
      const hps = await connect({ environment, server: `127.0.0.1:${forward.port}` });
      kept.defer(() => hps.close());
      return hps;
    },
    async cutPower() {
      await vm.cutPower();
      return await afterPowerCut(file("state"), logged.log);
    },
    entries: () => entriesIn(logged.log),
    async end() {
      await vm.cutPower();
      return { disk: file("state"), log: logged.log };
    },
    origin: hpsd,
    printed: () => vm.console.text().slice(began),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

interface Parts {
  readonly initrd: string;
  readonly programs: string;
  readonly logged: Parameters<typeof loggedDisk>[0];
}

async function machine(rack: Rack, { initrd, programs, logged }: Parts): Promise<Vm> {
  const { kernel } = await guestKernel();
  return await createVm({
    rack,
    name: "hpsd-guest",
    firmware: "bios",
    memory: 1024,
    kernel: { kernel, initrd, append: "console=ttyS0 quiet net.ifnames=0" },
    disks: [{ bus: "virtio", file: programs, serial: "programs" }],
    nics: [{ mac: MAC }],
    more: loggedDisk(logged),
  });
}

/** A disk with hpsd as it ships, its Node, and the libraries of both. */
async function makePrograms(disk: string, unsynced: HpsdGuestOptions["unsynced"]): Promise<void> {
  makeBundles();
  const tree = `${disk}.tree`;
  await putNode(tree);
  const dist = join(tree, "dist");
  await mkdir(dist);
  for (const name of ["hpsd.js", "store-worker.js", "screen-worker.js", "upload-worker.js", "library-worker.js"]) {
    await cp(PROGRAM.hpsd.replace(/hpsd\.js$/, name), join(dist, name));
  }
  const sqlite = join("node_modules", "better-sqlite3");
  for (const part of ["package.json", "lib", join("prebuilds", `linux-${process.arch}.node`)]) {
    await cp(join(import.meta.dirname, "../..", sqlite, part), join(tree, sqlite, part), { recursive: true });
  }
  if (unsynced === "store") await alter(join(dist, "store-worker.js"), /synchronous = FULL/g, "synchronous = OFF");
  if (unsynced === "images") await alter(join(dist, "upload-worker.js"), /\bf(?:data)?syncSync\d*\(/g, "void(");
  await writeFile(join(tree, "hpsd.yaml"), CONFIG);
  await ext4Of(tree, disk, "512M");
}

/** Only a copy of the program can be made to lose things: it has no setting for it. */
async function alter(program: string, what: RegExp, into: string): Promise<void> {
  const text = await readFile(program, "utf8");
  if (!what.test(text)) throw new Error(`${program} does not say ${what}`);
  await writeFile(program, text.replace(what, into));
}

async function makeState(disk: string, { state }: Pick<RealHpsd, "state">): Promise<void> {
  const tree = `${disk}.tree`;
  await mkdir(tree);
  await cp(state, join(tree, "hpsd"), { recursive: true });
  await ext4Of(tree, disk, STATE_DISK);
}
