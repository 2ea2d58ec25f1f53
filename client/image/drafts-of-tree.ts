import type { DraftEntry } from "../../proto/image/manifest-of-drafts.ts";
import { ACL_ACCESS, ACL_DEFAULT } from "../../proto/tree/acl.ts";
import type { ByteString } from "../../proto/tree/byte-string.ts";
import type { TreeIndex } from "../../proto/tree/scan/tree-index.ts";
import type { Xattr } from "../../proto/tree/tar/entry.ts";
import type { ImageInode } from "./image-inode.ts";

/** The kernel's form of a list's text; throws for one that cannot be read. */
export type AclBytes = (text: ByteString, path: ByteString) => Buffer;

/** All names of a tree, for a manifest. */
export function* draftsOfTree(index: TreeIndex<ImageInode>, aclBytes: AclBytes): Generator<DraftEntry> {
  const first = new Map<ImageInode, ByteString>();
  for (const [path, inode] of index.walk()) {
    const known = first.get(inode);
    if (inode.isLinked && known === undefined) first.set(inode, path);
    yield known === undefined ? draftOf(path, inode, aclBytes) : { ...inode, ...LINK, path, link: known };
  }
}

const LINK = { type: "hardlink", content: [], segments: undefined } as const;

function draftOf(path: ByteString, inode: ImageInode, aclBytes: AclBytes): DraftEntry {
  const { type, mode, uid, gid, mtime, size, link, major, minor, content } = inode;
  return {
    ...{ path, type, mode, uid, gid, mtime, size, link, major, minor, xattrs: xattrsOf(inode, path, aclBytes) },
    ...{ content: content?.objects ?? [], segments: content?.segments },
  };
}

/** Lists of access among them, in the kernel's form. */
function xattrsOf({ xattrs, acls }: ImageInode, path: ByteString, aclBytes: AclBytes): readonly Xattr[] {
  const texts = [
    [ACL_ACCESS, acls.access],
    [ACL_DEFAULT, acls.default],
  ] as const;
  const lists = texts.flatMap(([name, text]) => (text === undefined ? [] : [{ name, value: aclBytes(text, path) }]));
  return [...xattrs, ...lists].filter((xattr) => !isNothing(xattr));
}

/** A head of 4 bytes and 8 for each of owner, group and others. */
const MINIMAL_ACL = 4 + 3 * 8;
const EMPTY_ACL = 4;

/** A list of owner, group and others alone is the mode, and one of nobody is none: the kernel keeps neither. */
function isNothing({ name, value }: Xattr): boolean {
  return (name === ACL_ACCESS && value.length <= MINIMAL_ACL) || (name === ACL_DEFAULT && value.length <= EMPTY_ACL);
}
