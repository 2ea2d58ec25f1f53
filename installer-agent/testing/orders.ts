import { parseDomainName } from "../../proto/values/domain-name.ts";
import { parseEndpoint } from "../../proto/values/endpoint.ts";
import { parseHostName } from "../../proto/values/host-name.ts";
import { parseHttpsUrl } from "../../proto/values/https-url.ts";
import { parseImageRef } from "../../proto/values/image-ref.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import type { HostConfiguration } from "../install/host-configuration.ts";
import type { ArchiveOrder, InstallOrder } from "../install/install-order.ts";
import type { Contact } from "../link/contact.ts";

const DIGEST = "ab".repeat(32);

/** An image to be installed on the one disk, by DHCP. */
export const ORDER: InstallOrder & { readonly image: ArchiveOrder } = {
  installation: parseUuid("01890a5d-ac96-774b-bcce-b302099a8057"),
  image: {
    ...{ name: parseImageRef("debian:12"), file: { digest: DIGEST, sizeBytes: 300 }, format: "tar.zst" },
    ...{ contentBytes: 1000, entries: 10, lacks: [], proof: { signatures: [], keySets: [] } },
  },
  storage: { disk: {}, rootBytes: undefined, wipe: false, wipeSerials: [] },
  network: { mode: "dhcp", mac: undefined, addresses: [], gateway: undefined, nameServers: [] },
};

/** Of a host for which nothing is to be installed. */
export const CONFIGURATION: HostConfiguration = {
  ...{ hostId: "01900000-0000-7000-8000-0000000000aa", hostName: parseHostName("web01"), cluster: "c1", domain: "" },
  ...{ macs: [], addresses: [], profile: "", tags: new Map(), order: undefined, tools: undefined, rescue: false },
};

/** Where a test's hpsd would be. */
export const CONTACT: Contact = {
  ...{ grpc: parseEndpoint("hps.example.org:7443"), https: parseHttpsUrl("https://hps.example.org:7444") },
  ...{ trustDomain: parseDomainName("example.org"), rootCertificate: "-" },
};
