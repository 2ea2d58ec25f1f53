/** Marks that stand on the character before them. */
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}]$/u;

/** East Asian wide and fullwidth characters and emoji, by block (https://www.unicode.org/reports/tr11). */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]$/u;

/** How many columns of a terminal `text` takes. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += widthOf(character);
  return width;
}

/** `text` in at most `limit` columns; a cut one ends in `…`. */
export function fitText(text: string, limit: number): string {
  if (text.length * 2 <= limit || textWidth(text) <= limit) return text;
  let width = 1;
  let fitted = "";
  for (const character of text) {
    width += widthOf(character);
    if (width > limit) break;
    fitted += character;
  }
  return `${fitted}…`;
}

function widthOf(character: string): number {
  if (character < "\u0300") return 1;
  if (ZERO.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
