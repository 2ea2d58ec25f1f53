import { parseDuration } from "../../proto/values/duration.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseImageName } from "../../proto/values/image-ref.ts";
import { captureCommand, captureSource } from "../image/sources/capture-source.ts";
import { IMAGE_VIEW } from "../output/image-view.ts";
import { note, printOne } from "../output/print.ts";
import { hostReference } from "../sdk/host-names.ts";
import { Connection } from "../shell/connection.ts";
import { whenThere } from "../shell/wait-for-host.ts";
import type { Call } from "./call.ts";
import { storeImage } from "./image-store.ts";
import { interruptible } from "./interruptible.ts";

interface CaptureOptions {
  readonly exclude?: readonly string[];
  readonly mount?: readonly string[];
  readonly reason?: string;
  readonly wait?: string;
}

/** `image capture`: into the library of the host's own cluster. */
export async function captureImage(call: Call): Promise<number> {
  const { exclude = [], mount: mounts = [], reason = "", wait } = call.options<CaptureOptions>();
  const { name, shared } = parseImageName(call.operand(1));
  if (shared) throw ofAllClusters(call.operand(0));
  const limitMs = wait === undefined ? 0 : parseDuration(wait);
  const hps = await call.connect();
  const host = hostReference(call.operand(0), hps.cluster);
  const { cluster, name: hostName } = await hps.hosts.getHost({ host }, call.once);
  const command = captureCommand({ exclude, mounts });
  const image = await interruptible(call, "nothing was captured", async () => {
    const open = () => Connection.open(hps, { host, reason, command }, call.stream);
    const connection = await whenThere(call, hps, { host, limitMs }, open);
    await using source = captureSource(connection, hostName, (line) => void note(call.terminal, line));
    return await storeImage(call, { cluster, name }, source, hostName);
  });
  await note(call.terminal, "it keeps the host's users with their password hashes, and the keys that may log in");
  await printOne(call, IMAGE_VIEW, image);
  return 0;
}

function ofAllClusters(host: string): HpsError {
  return new HpsError("denied", `the tree of ${host} belongs to its cluster, and the shared library to all`, {
    hint: "capture it into the cluster's library: NAME:TAG without shared/",
  });
}
