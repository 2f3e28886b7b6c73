/** One operation of a JSON patch (RFC 6902). `add` replaces an existing value. */
export type PatchOperation =
  | { op: 'add' | 'replace' | 'test'; path: string; value: unknown }
  | { op: 'remove'; path: string }

const escaped = (step: string): string => (/[~/]/.test(step) ? step.replaceAll('~', '~0').replaceAll('/', '~1') : step)

/** The JSON pointer (RFC 6901), extended by one step. */
export const pointer = (base: string, step: string): string => `${base}/${escaped(step)}`
