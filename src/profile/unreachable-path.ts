// Paths that no rule finds: the kernel rebuilds a path from dentry and mount, behind all links.

/** Links of procfs, and where they lead (man 5 proc). */
const leadsTo: Record<string, string> = {
  self: '/proc/*',
  'thread-self': '/proc/*/task/*',
  net: '/proc/*/net',
  mounts: '/proc/*/mounts',
}

const linkOfProc = /^(?:\/proc|@\{PROC\})\/*(self|thread-self|net|mounts)(?=\/|\{|$)/

/** Why no file ever has this path, and what to write for what is meant; undefined for a path that may be there. */
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
