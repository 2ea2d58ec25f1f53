declare const brand: unique symbol;

/** A value that one parser has checked: only `branded` makes it, only parsers call `branded`. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };

/** Marks `value` as checked. For parsers only. */
export function branded<Name extends string, Base>(value: Base): Brand<Base, Name> {
  return value as Brand<Base, Name>; // the one place a brand is made
}
