/** A file of the installed system's root that the installer writes; paths are below the root, as `etc/hostname`. */
export type TargetFile =
  | { readonly path: string; readonly content: string; readonly mode?: number }
  /** A symbolic link. */
  | { readonly path: string; readonly link: string };
