/**
 * The regular expressions with which bytedance/vArmor's preprocessor shortens paths (`trimPath` and its constants in
 * internal/behavior/preprocessor), without the classifier, which is a separate service. Only for comparison.
 */
const number = /\/[0-9]+/g
const mapFile = /\/map_files\/.*/g
const snapshots = /\/snapshots\/\d+\/fs\//g
const libraries = ['/lib/x86_64-linux-gnu/', '/usr/lib/x86_64-linux-gnu/', '/usr/lib/aarch64-linux-gnu/']
const tokens = ['/run/secrets/kubernetes.io/serviceaccount/', '/var/run/secrets/kubernetes.io/serviceaccount/']

/** The unchanged path, or its pattern. */
export function upstreamPattern(path: string, written: boolean): string {
  const short = path.includes('/fs/') ? path.replace(snapshots, '/snapshots/*/fs/') : path
  const below = [...(written ? [] : libraries), '/tmp/', ...tokens].find((start) => short.startsWith(start))
  if (below !== undefined) return short === below ? short : `${below}**`
  if (!short.startsWith('/proc')) return short
  return short.replace(number, '/*').replace(mapFile, '/map_files/*')
}
