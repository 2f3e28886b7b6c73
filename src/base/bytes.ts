/** Bytes of text that parsers look for. */
export const newline = 0x0a
export const space = 0x20
export const quote = 0x22

export const kibibyte = 1024
export const mebibyte = 1024 * kibibyte
