import { HpsError } from "../../values/hps-error.ts";
import { type ByteString, showName } from "../byte-string.ts";
import type { TarEntry } from "./entry.ts";

/** Where in an archive something is wrong. */
export interface Place {
  /** In bytes from the archive's beginning, uncompressed. */
  readonly at: number;
  readonly name?: ByteString | undefined;
}

/** `invalid`: the archive cannot be what its maker wrote. */
export function damaged(place: Place, why: string): HpsError {
  const entry = place.name === undefined || place.name === "" ? "" : `, entry ${showName(place.name)}`;
  return new HpsError("invalid", `the archive is damaged at byte ${place.at}${entry}: ${why}`, {
    hint: "make or fetch the archive anew, and compare its SHA-256 with its maker's",
  });
}

/** A hard link whose target stands nowhere before it. */
export function linkToNothing({ at, path, link }: Pick<TarEntry, "at" | "path" | "link">): HpsError {
  return damaged(
    { at, name: path },
    `it is a hard link to ${showName(link)}, and no entry before it is a file of that name`,
  );
}

/** `unimplemented`: well-formed, but nothing that a file tree can be made of here. */
export function unsupported(place: Place, what: string): HpsError {
  const entry = place.name === undefined || place.name === "" ? "" : `, entry ${showName(place.name)}`;
  return new HpsError("unimplemented", `the archive holds ${what} at byte ${place.at}${entry}`, {
    hint: "make it with GNU tar: tar --format=pax --xattrs --xattrs-include='*' --acls --numeric-owner --sparse",
  });
}
