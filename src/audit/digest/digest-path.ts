import { dirname, join, parse } from 'node:path'

/** Path of a log's digest: `NAME-digest.log` in the folder of the log. */
export function digestOf(log: string): string {
  const { name, ext } = parse(log)
  return join(dirname(log), `${name}-digest${ext}`)
}
