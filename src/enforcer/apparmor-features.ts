import { parserProgram, type RunParser } from './apparmor-parser.ts'
import type { NodeRoot } from './node-root.ts'

/** The AppArmor rule kinds that the node enforces in addition to the kinds of the oldest supported version. */
export interface NodeAppArmor {
  /** apparmor_parser's version as `[major, minor]`. */
  parser: readonly [number, number]
  userns: boolean
  ioUring: boolean
  mqueue: boolean
}

const features = 'sys/kernel/security/apparmor/features'
const oldest = [3, 0] as const

/**
 * Finds out what the parser and the kernel support. AppArmor enforces a rule only if the parser, the kernel and the ABI
 * of the profile all know its kind. Otherwise it ignores the rule silently. A parser without a description of ABI 4.0
 * counts as old.
 */
export async function nodeAppArmor(
  root: Pick<NodeRoot, 'read'>,
  runParser: RunParser = parserProgram(),
): Promise<NodeAppArmor> {
  const { stdout = '' } = await runParser(['--version'])
  const [, major, minor] = /version (\d+)\.(\d+)/.exec(stdout) ?? []
  const isNew = Number(major) >= 4 && root.read('etc/apparmor.d/abi/4.0') !== undefined
  const kernelHas = (file: string, word?: string): boolean => {
    const words = root.read(`${features}/${file}`)?.split(/\s+/) ?? []
    return isNew && (word === undefined ? words.length > 0 : words.includes(word))
  }
  return {
    parser: isNew ? [Number(major), Number(minor)] : oldest,
    userns: kernelHas('namespaces/mask', 'userns_create'),
    ioUring: kernelHas('io_uring/mask'),
    mqueue: kernelHas('ipc/posix_mqueue'),
  }
}
