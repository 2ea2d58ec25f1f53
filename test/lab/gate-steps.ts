/** What the tests of the gate do again and again. */
import { expect } from "vitest";
import type { InstallationState, JournalEntry } from "../../proto/gen/hps/v1/installation_pb.ts";
import type { HpsdRack } from "./hpsd-rack.ts";

interface NewHost {
  readonly name: string;
  readonly mac: string;
  readonly address: string;
}

/** Adds the host and opens its window; the installation's id. */
export async function armedHost({ hps }: Pick<HpsdRack, "hps">, { name, mac, address }: NewHost): Promise<string> {
  await hps.hosts.createHost({ host: { cluster: "lab", name, macs: [mac], addresses: [address] } });
  return (await hps.hosts.armHost({ host: `lab/${name}` })).id;
}

/** Waits until the installation is in this state. */
export async function untilState(
  { hps }: Pick<HpsdRack, "hps">,
  installation: string,
  state: InstallationState,
): Promise<void> {
  const look = async () => (await hps.installations.getInstallation({ installation })).state;
  await expect.poll(look, { timeout: 30_000 }).toBe(state);
}

/** Serials of the installer certificates that were issued for the installation. */
export async function issuedFor({ hps }: Pick<HpsdRack, "hps">, installation: string, validOnly = false) {
  const identity = `spiffe://lab.example.test/installer/${installation}`;
  const { certificates } = await hps.identity.listCertificates({ identity, validOnly });
  return certificates.map(({ serial }) => serial);
}

/** The journal as it is. */
export async function journalOf(
  { hps }: Pick<HpsdRack, "hps">,
  installation: string,
): Promise<readonly JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for await (const seen of hps.watchInstallation(installation)) {
    if (seen.entry !== undefined) entries.push(seen.entry);
    if (seen.installation !== undefined) break;
  }
  return entries;
}
