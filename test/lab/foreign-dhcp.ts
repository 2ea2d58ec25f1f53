import type { Program } from "./program.ts";
import { startProgram } from "./program.ts";
import type { Rack } from "./rack.ts";
import { must } from "./run.ts";

/** What the addresses that it gives begin with. */
export const FOREIGN_ADDRESSES = "10.77.0.5";

/** Another DHCP server on the wire, which knows nothing of booting; ends with this process. */
export async function startForeignDhcp(rack: Rack): Promise<Program> {
  const { ns, nic } = await rack.addClient("52:54:00:00:0d:01");
  await must(["ip", "addr", "add", "10.77.0.2/24", "dev", nic], { ns });
  const how = ["-k", "--conf-file=/dev/null", "--port=0", `--interface=${nic}`, "--bind-interfaces", "--no-ping"];
  const files = ["--leasefile-ro", "--log-facility=-", "--user=root", "--pid-file="];
  const range = `--dhcp-range=${FOREIGN_ADDRESSES}0,${FOREIGN_ADDRESSES}9,255.255.255.0,10m`;
  return await startProgram({ ns, argv: ["dnsmasq", ...how, ...files, range], readyLine: /bound exclusively/ });
}
