import { HpsError } from "../../../proto/values/hps-error.ts";

/** What a client sends back to say which revision it saw. Opaque to it. */
export function etagOf(object: { readonly revision: number }): string {
  return `"${object.revision}"`;
}

/** `aborted` unless the etag is empty or that of the object as it now is. `what` names it: "host lab/web01". */
export function checkEtag(object: { readonly revision: number }, etag: string, what: string): void {
  if (etag === "" || etag === etagOf(object)) return;
  throw new HpsError("aborted", `${what} has changed since you read it`, {
    hint: "read it again, then change what it is now",
  });
}
