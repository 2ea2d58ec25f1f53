import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** A program's version: `major.minor.patch` in decimal without leading zeros. */
export type Version = Brand<string, "Version">;

export function parseVersion(text: string): Version {
  if (!/^(0|[1-9]\d{0,5})(\.(0|[1-9]\d{0,5})){2}$/.test(text)) {
    throw new HpsError("invalid", `not a version: ${quote(text)}`, { hint: "write it as 1.4.2" });
  }
  return branded<"Version", string>(text);
}

/** Negative when `left` is the older, 0 when they are the same. */
export function compareVersions(left: Version, right: Version): number {
  const others = numbersOf(right);
  return numbersOf(left).reduce((order, number, index) => order || number - (others[index] ?? 0), 0);
}

/** How a peer stands to a server that serves its own minor version and the one before it, of the same major version. */
export function versionSkew(server: Version, peer: Version): "served" | "too-old" | "too-new" {
  const [major = 0, minor = 0] = numbersOf(server);
  const [peerMajor = 0, peerMinor = 0] = numbersOf(peer);
  if (peerMajor !== major) return peerMajor < major ? "too-old" : "too-new";
  if (peerMinor > minor) return "too-new";
  return peerMinor >= minor - 1 ? "served" : "too-old";
}

function numbersOf(version: Version): number[] {
  return version.split(".").map(Number);
}
