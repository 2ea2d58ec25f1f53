/** `curl | zstd -d | tar -x` in the installer, as it stands when all steps are done: the same file from the same hpsd, to the root file system that is empty. */
import { chmod, copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { partitionId } from "../../proto/values/layout-ids.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import type { InstallRack } from "../lab/install-rack.ts";
import { labFolder } from "../lab/janitor.ts";
import { must } from "../lab/run.ts";
import { inInstaller } from "./install-shell.ts";

const PROGRAMS = ["curl", "zstd", "tar"];
const PORT = 8099;
const SCRIPT = "peer.sh";
const LIMIT_MS = 20 * 60_000;

/** Of this machine, each by the loader it came with: the installer needs none of them and has none. */
const UNPACK = `set -e -o pipefail
of() { program=$1; shift; ./ld.so --library-path . ./$program "$@"; }
now() { read -r up rest </proc/uptime; echo "$up"; }
node=$(blkid -t "PARTUUID=$1" -o device)
mkdir -p /run/peer-target
sync; echo 3 >/proc/sys/vm/drop_caches
began=$(now)
mkfs.ext4 -q -F -F "$node"
mount "$node" /run/peer-target
of curl -sSfk --cert /run/hps-agent/agent.crt --key /run/hps-agent/agent.key "$2" |
	of zstd -dc | of tar -x --numeric-owner --xattrs '--xattrs-include=*' --acls -C /run/peer-target
sync
ended=$(now)
umount /run/peer-target
echo "took $began $ended"
`;

export interface PeerOrder {
  readonly host: string;
  readonly installation: string;
  /** Of the image's file. */
  readonly digest: string;
}

/** Seconds of each round, file system and sync included. */
export async function timePeer(rack: InstallRack, order: PeerOrder, rounds: number): Promise<readonly number[]> {
  const folder = await labFolder();
  try {
    await gatherPrograms(folder);
    const { address } = rack.rack.server;
    const argv = ["busybox", "httpd", "-f", "-p", `${address}:${PORT}`, "-h", folder];
    const door = await rack.rack.start({ argv });
    const fetched = `mkdir -p /run/peer && cd /run/peer && wget -q -O - http://${address}:${PORT}/all.tar | tar -x`;
    await inInstaller(rack, { host: order.host, script: fetched, limitMs: LIMIT_MS });
    await door.stop();
    const root = partitionId(parseUuid(order.installation), "root-b");
    const script = `cd /run/peer && sh ./${SCRIPT} ${root} https://${address}:7444/files/v1/${order.digest}`;
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const said = await inInstaller(rack, { host: order.host, script, limitMs: LIMIT_MS });
      const [, began, ended] = /^took (\S+) (\S+)$/m.exec(said) ?? [];
      times.push(Number(ended) - Number(began));
    }
    return times;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The programs, all they load, and the script, in one archive. */
async function gatherPrograms(folder: string): Promise<void> {
  const tree = join(folder, "tree");
  await mkdir(tree);
  for (const name of PROGRAMS) {
    const program = (await must(["sh", "-c", 'command -v "$0"', name])).trim();
    await copyFile(program, join(tree, name));
    for (const library of (await must(["ldd", program])).match(/\/\S+/g) ?? []) {
      const isLoader = basename(library).startsWith("ld-linux");
      await copyFile(library, join(tree, isLoader ? "ld.so" : basename(library)));
    }
  }
  await chmod(join(tree, "ld.so"), 0o755);
  await writeFile(join(tree, SCRIPT), UNPACK);
  await must(["tar", "-cf", join(folder, "all.tar"), "-C", tree, "."]);
}
