import { dirname, join, parse } from 'node:path'

/** Where the digest of a log of violations is: beside it, as `NAME-digest.log`. */
export function digestOf(log: string): string {
  const { name, ext } = parse(log)
  return join(dirname(log), `${name}-digest${ext}`)
}
