/**
 * Bytes that parsers search for. A hot loop copies them to constants of its module (`const { space } = bytes`), because
 * V8 loads an imported constant from memory each time, which cost 8 % with Seccomp records.
 */
export const newline = 0x0a
export const space = 0x20
export const quote = 0x22

export const kibibyte = 1024
export const mebibyte = 1024 * kibibyte
