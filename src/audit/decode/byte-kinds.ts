/** 1 for bytes that a JSON string cannot hold as they are, or that are not printable ASCII. A quote is not among them: values end there. */
export const isSpecial = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte > 0x7e || byte === 0x5c ? 1 : 0,
)

/**
 * Whether four bytes are printable ASCII and neither a quote nor a backslash; nonzero when one is not. Each term sets
 * the top bit of a byte: above 0x7f, 0x7f, below 0x20, a quote, a backslash. A borrow can reach only from a byte that is
 * one of these.
 */
export const oddBits = (word: number): number =>
  (word |
    (word + 0x0101_0101) |
    (word - 0x2020_2020) |
    ((word ^ 0x2222_2222) - 0x0101_0101) |
    ((word ^ 0x5c5c_5c5c) - 0x0101_0101)) &
  0x8080_8080
