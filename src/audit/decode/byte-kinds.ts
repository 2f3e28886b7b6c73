/**
 * 1 for bytes that a JSON string must escape, and for bytes that are not printable ASCII. A quote has 0, because a
 * value ends there.
 */
export const isSpecial = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte > 0x7e || byte === 0x5c ? 1 : 0,
)

/**
 * Zero if four bytes are printable ASCII without a quote or backslash. Each term sets the top bit of certain bytes:
 * above 0x7f, 0x7f, below 0x20, a quote, a backslash. Only such a byte can cause a borrow.
 */
export const oddBits = (word: number): number =>
  (word |
    (word + 0x0101_0101) |
    (word - 0x2020_2020) |
    ((word ^ 0x2222_2222) - 0x0101_0101) |
    ((word ^ 0x5c5c_5c5c) - 0x0101_0101)) &
  0x8080_8080
