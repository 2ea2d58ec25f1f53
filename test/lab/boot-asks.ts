import type { HpsdRack } from "./hpsd-rack.ts";

/** What of the boot door gives scripts and nothing else. */
const ASKING = ["/boot/v1/ipxe", "/boot/v1/first-contact"];

/** What the boot door was asked for, by route. */
export function routesAsked(lab: Pick<HpsdRack, "printed">): ReadonlySet<string> {
  return new Set([...lab.printed().matchAll(/"path":"([^"]+)","status":\d+/g)].map(([, path = ""]) => path));
}

/** The same, without those that give scripts alone. */
export function filesAsked(lab: Pick<HpsdRack, "printed">): readonly string[] {
  return [...routesAsked(lab)].filter((path) => !ASKING.includes(path));
}
