/**
 * 1 for bytes that a JSON string must escape, and for bytes that are not printable ASCII. A quote has 0, because it
 * ends the value.
 */
export const isSpecial = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte > 0x7e || byte === 0x5c ? 1 : 0,
)

/**
 * Zero if all four bytes are printable ASCII, but not a quote or backslash. The terms find, in this order, bytes above
 * 0x7f, 0x7f, bytes below 0x20, quotes and backslashes: a term sets the top bit of these bytes. Only such a byte can
 * cause a borrow.
 */
export const oddBits = (word: number): number =>
  (word |
    (word + 0x0101_0101) |
    (word - 0x2020_2020) |
    ((word ^ 0x2222_2222) - 0x0101_0101) |
    ((word ^ 0x5c5c_5c5c) - 0x0101_0101)) &
  0x8080_8080
