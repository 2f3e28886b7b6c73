/** 1 for bytes that a JSON string cannot hold as they are, or that are not printable ASCII. A quote is not among them: values end there. */
export const isSpecial = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte > 0x7e || byte === 0x5c ? 1 : 0,
)
