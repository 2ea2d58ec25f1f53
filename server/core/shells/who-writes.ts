/** Who takes part and who may write: what is told of it. */
import { type AdmitWriter, SessionNoticeKind } from "../../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { Audience } from "./audience.ts";
import type { SessionParticipant } from "./session-participant.ts";

/** The owner lets a participant write, or no more. `denied` from anybody else, `not-found` for one that is not there. */
export function admitWriter(audience: Audience, from: SessionParticipant, { participant, write }: AdmitWriter): void {
  if (from.role !== "owner") throw new HpsError("denied", "only the owner of the session says who writes");
  const who = audience.all.find(({ id, role }) => id === participant && role !== "owner");
  if (who === undefined) {
    from.tell(SessionNoticeKind.LEFT, "that participant is not here any more", participant);
    return;
  }
  if (write && !who.mayEnter) {
    const text = `${who.operator} may watch and not write: this needs role operator, or a grant to enter`;
    from.tell(SessionNoticeKind.WRITERS, text, participant);
    return;
  }
  who.role = write ? "writer" : "watcher";
  const may = write ? "may write now" : "only watches now";
  audience.tell(SessionNoticeKind.WRITERS, `${who.operator} ${may}`, who);
  who.tell(SessionNoticeKind.WRITERS, write ? "you may write now" : "you only watch now", who.id);
  audience.change();
}

/** Tells the others of one that came, and it what it may do. */
export function tellJoined(audience: Audience, who: SessionParticipant, wantsToWrite: boolean): void {
  const what = { owner: "is back in", writer: "writes in", watcher: "watches" }[who.role];
  audience.tell(SessionNoticeKind.JOINED, `${who.operator} ${what} this session, from ${who.address}`, who);
  if (!wantsToWrite || who.mayWrite) return;
  const { owner } = audience;
  if (owner === undefined) {
    who.tell(SessionNoticeKind.WRITERS, "you only watch: the owner is not here to let you write", who.id);
    return;
  }
  who.tell(SessionNoticeKind.WRITERS, `you only watch until ${owner.operator} lets you write`, who.id);
  owner.tell(SessionNoticeKind.WRITERS, `${who.operator} asks to write`, who.id);
}

/** Tells the others of one that has gone. */
export function tellLeft(audience: Audience, who: SessionParticipant, how: string): void {
  audience.tell(SessionNoticeKind.LEFT, `${who.operator} has left this session: ${how}`, who);
}
