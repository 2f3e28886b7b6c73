import { Buffer } from 'node:buffer'
import type { EnhanceProtect } from '../../src/api/types.ts'
import { writeBytes } from '../../test/kernel/bpf/profile-bytes.ts'

/** Paths that the bench opens and runs: five names below the root. */
export const opened = '/bench/a/b/c/file'
export const ran = '/bench/a/b/c/exit'
const folder = '/bench/a/b/c'

/** Paths of rules. All start like the opened path but differ from it later, so that the first bytes exclude no rule. */
const paths = (count: number): string[] => Array.from({ length: count }, (_, i) => `${folder}/other${i}`)

/** Rules about files, and the same number of rules about packets' destinations. */
export function policyOf(count: number): EnhanceProtect {
  if (count === 0) return {}
  const permissions = ['read', 'write', 'exec']
  const addresses = Array.from({ length: count }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
  return {
    bpfRawRules: {
      files: paths(count).map((pattern) => ({ pattern, permissions })),
      network: { egress: { toDestinations: addresses.map((ip) => ({ ip })) } },
    },
  }
}

/** Sizes in linear.bpf.c. */
const linear = { rules: 10_000, words: 7 }

/** The same file rules for linear.bpf.c, in the form of put-profile.h. */
export function linearBytes(count: number): Buffer {
  const ruleBytes = 8 + 8 * linear.words
  const value = Buffer.alloc(8 + linear.rules * ruleBytes)
  value.writeUInt32LE(count)
  for (const [i, path] of paths(count).entries()) {
    const at = 8 + i * ruleBytes
    value.writeUInt32LE(path.length, at)
    value.writeUInt32LE(1, at + 4)
    value.write(path, at + 8)
  }
  return writeBytes({ map: 'linear_rules', key: new Uint8Array(4), value })
}
