/** The bounds of the format: what passes one is no image, however well-formed. docs/image-format.md lists them. */

/** Of an object, and of the raw content of a frame. */
export const LARGEST_OBJECT = 4 << 20;

/** Holes of sparse files begin and end at multiples of this. */
export const HOLE_BLOCK = 4096;

export const MOST_ENTRIES = 10_000_000;
export const MOST_OBJECTS = 10_000_000;
/** Of a manifest, uncompressed. */
export const LARGEST_MANIFEST = 512 << 20;
/** Bytes of content in all files, holes not counted and hard links counted once. */
export const MOST_CONTENT = 2 ** 40;

/** A path, a symlink's target: the kernel's bound without the zero byte. */
export const LONGEST_PATH = 4095;
export const LONGEST_NAME = 255;
/** Components of a path. */
export const DEEPEST_PATH = 128;
export const LARGEST_MODE = 0o7777;
/** The next one means "unchanged" to the kernel. */
export const LARGEST_ID = 0xffff_fffe;
/** Seconds before or after 1970: some 30 000 years. */
export const FURTHEST_TIME = 10 ** 12;
export const LARGEST_MAJOR = 0xfff;
export const LARGEST_MINOR = 0xfffff;
/** Data segments of one sparse file. */
export const MOST_SEGMENTS = 1 << 20;

/** Of the index of a pack or a delta, uncompressed. */
export const LARGEST_INDEX = 32 << 20;
/** Of a pack, and so also of its frames: what a reader must hold of an index, however small that is when it is compressed. */
export const MOST_PACK_OBJECTS = 1 << 18;

/** New content that one piece of a delta makes. */
export const LARGEST_PIECE = 1 << 20;
/** Pieces of one object. */
export const MOST_PIECES = 64;
/** Of a delta: objects, old files, and pieces in all. */
export const MOST_DELTA_OBJECTS = 1 << 18;
export const MOST_DELTA_PIECES = 1 << 19;
/** Old content that a piece is made with; of less than the smallest, zstd's encoder makes no use. */
export const LARGEST_WINDOW = 2 << 20;
export const SMALLEST_WINDOW = 8;

export const LONGEST_XATTR_NAME = 255;
export const LARGEST_XATTR = 65_536;
/** The names of one entry's attributes together, a zero byte after each: the kernel lists no more. */
export const LARGEST_XATTR_LIST = 65_536;
