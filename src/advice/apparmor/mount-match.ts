import { mountFlagBits } from '../../api/linux-mount-flags.ts'
import type { Operation } from '../operation.ts'
import { GlobMachine } from './glob-machine.ts'
import type { MountOptions, ProfileRule } from './profile-rules.ts'
import { expanded } from './variables.ts'
import { type Matched, maybeAll } from './verdicts.ts'

type Mounting = Extract<Operation, { kind: 'mount' }>

/**
 * The bits of all flags that rules can name. Other flags do not count: AppArmor ignores them, or only the kernel uses
 * them.
 */
const shown = Object.values(mountFlagBits).reduce((all: number, bit) => all | bit, 0)

/** Whether a rule matches the mount (match_mnt() in security/apparmor/mount.c). */
export function mountMatch(rule: ProfileRule, mounting: Mounting, profile: string): Matched {
  const { operation, target, flags } = mounting
  switch (rule.kind) {
    case 'umount':
      return operation === 'umount' ? matches(rule.target, asDirectory(target), profile) : false
    case 'pivot_root':
      return operation === 'pivot-root'
    case 'remount':
      return operation === 'remount' && flags === mountFlagBits.remount
        ? matches(rule.target, asDirectory(target), profile)
        : false
    case 'mount': {
      if (operation === 'umount' || operation === 'pivot-root') return false
      const { source, type } = asShown(mounting)
      return maybeAll([
        meansFlags(rule.options, flags & shown),
        rule.types === undefined || anyOf(rule.types.map((glob) => matches(glob, type, profile))),
        matches(rule.source, source, profile),
        matches(rule.target, asDirectory(target), profile),
      ])
    }
    default:
      return false
  }
}

/**
 * Source and type as the kernel passes them to AppArmor. Only new mounts have a type. Remounts and changes of
 * propagation do not have a source.
 */
function asShown({ operation, source, fstype }: Mounting): {
  source: string[] | undefined
  type: string[] | undefined
} {
  if (operation === 'remount' || operation === 'propagation') return { source: [''], type: [''] }
  const one = (text: string | undefined) => (text === undefined ? undefined : [text])
  return operation === 'new' ? { source: one(source), type: one(fstype) } : { source: asDirectory(source), type: [''] }
}

/**
 * The forms of the path of a mount point: the path of a directory ends with a slash, but a file can be a mount point,
 * too.
 */
function asDirectory(path: string | undefined): string[] | undefined {
  if (path === undefined) return undefined
  return path.endsWith('/') ? [path] : [`${path}/`, path]
}

function anyOf(all: readonly Matched[]): Matched {
  if (all.includes(true)) return true
  return all.includes('maybe') ? 'maybe' : false
}

function matches(glob: string | undefined, texts: readonly string[] | undefined, profile: string): Matched {
  if (glob === undefined) return true
  const globs = expanded(glob, profile)
  if (texts === undefined || globs === undefined) return 'maybe'
  const machine = new GlobMachine(globs)
  return texts.some((text) => machine.matching(text).length > 0)
}

function meansFlags(options: MountOptions | undefined, flags: number): boolean {
  if (options === undefined) return true
  return (flags & ~options.possible) === 0 && (options.needed & ~flags) === 0
}
