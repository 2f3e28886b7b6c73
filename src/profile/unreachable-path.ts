// Paths that no file has, because the kernel resolves links before it builds the path from dentry and mount.

/** Links in procfs, and their targets (man 5 proc). */
const leadsTo: Record<string, string> = {
  self: '/proc/*',
  'thread-self': '/proc/*/task/*',
  net: '/proc/*/net',
  mounts: '/proc/*/mounts',
}

const linkOfProc = /^(?:\/proc|@\{PROC\})\/*(self|thread-self|net|mounts)(?=\/|\{|$)/

/** Why no file has this path, and the path to write instead; undefined if a file may have the path. */
export function whyNeverThere(path: string): string | undefined {
  const link = linkOfProc.exec(path)?.[1]
  if (link !== undefined) {
    const instead = leadsTo[link]!
    return `/proc/${link} is a link, and the kernel judges a path behind its links, so the rule never applies: write ${instead}`
  }
  const dots = /\/(\.\.?)(?=\/|$)/.exec(path)?.[1]
  if (dots !== undefined) return `a path of the kernel never has the segment "${dots}", so the rule never applies`
  return path.includes('//') ? 'a path of the kernel never contains "//", so the rule never applies' : undefined
}
