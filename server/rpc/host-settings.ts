/** What an operator may say of a host: each field read and checked, one reader a field. */
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { NetworkMode } from "../../proto/gen/hps/v1/agent_pb.ts";
import { type Host, ResumePolicy } from "../../proto/gen/hps/v1/host_pb.ts";
import { parseHostName } from "../../proto/values/host-name.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type IpAddress, parseIpAddress } from "../../proto/values/ip-address.ts";
import { parseMac } from "../../proto/values/mac.ts";
import { parseTagKey, parseTagValue } from "../../proto/values/tag.ts";
import type { HostSettings } from "../core/hosts/hosts.ts";
import { boundedText, maskOf, wordOf } from "./fields.ts";
import { NETWORK_MODES, RESUME_POLICIES } from "./host-message.ts";

const MAX_EACH = 64;
const MAX_PROFILE_BYTES = 256;
const SETTINGS = ["name", "macs", "addresses", "profile", "tags", "resume", "network"] as const;

/** Of a new host; without a word about them, a machine that restarts in the middle waits, and DHCP is used. */
export function hostSettingsOf(host: Host): HostSettings {
  const resume = host.resume === ResumePolicy.UNSPECIFIED ? "never" : READ.resume(host);
  const { name, macs, addresses, profile, tags } = READ;
  return {
    name: name(host),
    macs: macs(host),
    addresses: addresses(host),
    profile: profile(host),
    tags: tags(host),
    resume,
    network: host.network === NetworkMode.UNSPECIFIED ? "dhcp" : READ.network(host),
  };
}

/** Of those fields alone that the mask names. */
export function hostChangeOf(host: Host, updateMask: FieldMask | undefined): Partial<HostSettings> {
  const mask = maskOf(updateMask, SETTINGS);
  return {
    ...(mask.has("name") && { name: READ.name(host) }),
    ...(mask.has("macs") && { macs: READ.macs(host) }),
    ...(mask.has("addresses") && { addresses: READ.addresses(host) }),
    ...(mask.has("profile") && { profile: READ.profile(host) }),
    ...(mask.has("tags") && { tags: READ.tags(host) }),
    ...(mask.has("resume") && { resume: READ.resume(host) }),
    ...(mask.has("network") && { network: READ.network(host) }),
  };
}

const READ: { readonly [F in keyof HostSettings]: (host: Host) => HostSettings[F] } = {
  name: ({ name }) => parseHostName(name),
  macs: ({ macs }) => {
    if (macs.length === 0) {
      throw new HpsError("invalid", "the host has no MAC address", {
        hint: "give those of all its NICs: --mac 52:54:00:12:34:56",
      });
    }
    return each(macs, parseMac, "MAC addresses");
  },
  addresses: ({ addresses }) => each(addresses, parseHostAddress, "addresses"),
  profile: ({ profile }) => boundedText(profile, MAX_PROFILE_BYTES, "a profile"),
  tags: ({ tags }) => {
    const entries = Object.entries(tags);
    refuseTooMany(entries.length, "tags");
    return new Map(entries.map(([key, value]) => [parseTagKey(key), parseTagValue(value)]));
  },
  resume: ({ resume }) => wordOf(RESUME_POLICIES, resume, "resume policy"),
  network: ({ network }) => wordOf(NETWORK_MODES, network, "network mode"),
};

function each<T extends string>(texts: readonly string[], parse: (text: string) => T, what: string): readonly T[] {
  refuseTooMany(texts.length, what);
  const values = texts.map(parse);
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  if (twice !== undefined) throw new HpsError("invalid", `${twice} stands twice among the ${what}`);
  return values;
}

function refuseTooMany(count: number, what: string): void {
  if (count > MAX_EACH) throw new HpsError("invalid", `${count} ${what} are more than a host may have: ${MAX_EACH}`);
}

/** Loopback, multicast, unspecified and broadcast addresses are no machine's own (RFC 1122 3.2.1.3, RFC 4291 2.4). */
const NO_HOST = /^(0|127|22[4-9]|23\d|24\d|25[0-5])\.|^::1?$|^ff[0-9a-f]{2}:/;

function parseHostAddress(text: string): IpAddress {
  const address = parseIpAddress(text);
  if (NO_HOST.test(address)) throw new HpsError("invalid", `${address} cannot be the address of one machine`);
  return address;
}
