/**
 * Values of the variables that rules may name (value.ts), as in tunables/global of AppArmor 3. A node may add values.
 */
const digits = (max: number): string =>
  `{${Array.from({ length: max }, (_, i) => `${i === 0 ? '' : '[1-9]'}${i === 0 ? '[0-9]' : '[0-9]'.repeat(i)}`).join(',')}}`

const pid = `{[1-9],${Array.from({ length: 5 }, (_, i) => `[1-9]${'[0-9]'.repeat(i + 1)}`).join(',')},[1-4]${'[0-9]'.repeat(6)}}`
const uid = `${digits(9).slice(0, -1)},[1-4]${'[0-9]'.repeat(9)}}`

const values: Readonly<Record<string, readonly string[]>> = {
  PROC: ['/proc/'],
  HOME: ['/home/*/', '/root/'],
  HOMEDIRS: ['/home/'],
  multiarch: ['*-linux-gnu*'],
  pid: [pid],
  pids: [pid],
  tid: [pid],
  uid: [uid],
  uids: [uid],
  sys: ['/sys/'],
  run: ['/run/', '/var/run/'],
  etc_ro: ['/etc/', '/usr/etc/'],
  etc_rw: ['/etc/'],
}

/** Maximum number of globs that one glob with variables expands to. */
const MAX = 64

/**
 * Expands a glob with variables as the parser does: one glob for each combination of values, without double slashes.
 * @returns undefined if the value of a variable is unknown
 */
export function expanded(glob: string, profileName: string): string[] | undefined {
  let globs = [glob]
  for (let round = 0; round < MAX && globs.some((one) => one.includes('@{')); round++) {
    const next: string[] = []
    for (const one of globs) {
      const match = /@\{(\w+)\}/.exec(one)
      if (match === null) {
        next.push(one)
        continue
      }
      const known = match[1] === 'profile_name' ? [profileName] : values[match[1]!]
      if (known === undefined) return undefined
      const [before, after] = [one.slice(0, match.index), one.slice(match.index + match[0].length)]
      next.push(...known.map((value) => before + value + after))
    }
    if (next.length > MAX) return undefined
    globs = next
  }
  return globs.map(withoutDoubleSlashes)
}

/**
 * Removes repeated slashes. Two slashes at the very beginning stay, as in POSIX (filter_slashes() in parser_regex.c).
 * Such a glob matches no path, because paths of the kernel begin with one slash.
 */
const withoutDoubleSlashes = (glob: string): string => {
  const kept = /^\/\/(?!\/)/.test(glob) ? '/' : ''
  return kept + glob.slice(kept.length).replace(/\/{2,}/g, '/')
}
