import { SHARED_LIBRARY } from "../../store/images.ts";
import type { AuditSubject } from "../audit/audit.ts";

/** A library as the audit log names it. */
export function subjectOf(library: string): AuditSubject {
  return library === SHARED_LIBRARY
    ? { target: "library:shared", clusterId: null }
    : { target: `cluster:${library}`, clusterId: library };
}
