import type { Kind, Place } from './name-shape.ts'

/** Directories in which names of a certain form vary, even if the names do not look random. */
interface Known {
  /** Matches the path of the directory. */
  directory: RegExp
  name: RegExp
  pattern: string
  kind: Kind
}

const known: readonly Known[] = [
  { directory: /^\/proc$/, name: /^\d+$/, pattern: '*', kind: 'process number' },
  { directory: /^\/proc\/[^/]+\/task$/, name: /^\d+$/, pattern: '*', kind: 'process number' },
  { directory: /^\/proc\/[^/]+(?:\/task\/[^/]+)?\/(?:fd|fdinfo)$/, name: /^\d+$/, pattern: '*', kind: 'number' },
  { directory: /^\/proc\/[^/]+\/map_files$/, name: /^[0-9a-f]+-[0-9a-f]+$/, pattern: '*', kind: 'number' },
  { directory: /^\/dev\/pts$/, name: /^\d+$/, pattern: '*', kind: 'number' },
  { directory: /^\/sys\/devices\/system\/cpu$/, name: /^cpu\d+$/, pattern: 'cpu*', kind: 'number' },
  { directory: /^\/sys\/devices\/system\/node$/, name: /^node\d+$/, pattern: 'node*', kind: 'number' },
  { directory: /\/hsperfdata_[^/]+$/, name: /^\d+$/, pattern: '*', kind: 'process number' },
  { directory: /^\/run\/user$/, name: /^\d+$/, pattern: '*', kind: 'number' },
  { directory: /\/snapshots$/, name: /^\d+$/, pattern: '*', kind: 'number' },
]

/** The pattern of a name that varies because of the directory that contains it. */
export function knownName(directory: string, name: string): { pattern: string; kind: Kind } | undefined {
  return known.find((one) => one.name.test(name) && one.directory.test(directory))
}

const temporary =
  /^\/(?:tmp|var\/tmp|dev\/shm|run|var\/run|var\/lock)(?:\/|$)|\/\.?(?:tmp|temp|temporary|cache|caches|session|sessions)(?:\/|$)/i
const image = /^\/(?:usr|lib|lib32|lib64|libx32|bin|sbin|etc|boot)(?:\/|$)/
/** Directories within the directories of the image to which programs write at run time. */
const written = /\/(?:tmp|temp|logs?|work|run|sessions?|cache)(?:\/|$)|^\/usr\/(?:local|share)\/.*\/data(?:\/|$)/

/** @param directory the recorded path, without a slash at its end */
export function placeOf(directory: string): Place {
  return { temporary: temporary.test(directory), image: image.test(directory) && !written.test(directory) }
}
