import { copyFile, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { whyNotMade } from '../../api/made-by-manager.ts'
import { armorProfileSpec } from '../../api/schema/armor-profile.ts'
import { nodeOf } from '../../api/schema/node.ts'
import type { ArmorProfile } from '../../api/types.ts'
import { isObject, validateSchema } from '../../api/validate-schema.ts'
import { mebibyte } from '../../base/bytes.ts'
import type { Logger } from '../../base/logger.ts'
import { type HeldPolicy, titleOf } from './policy-set.ts'

/**
 * Stores the policies in force for the next start. If a file then has a mistake, its previous policies must stay in
 * force.
 */
export interface PolicyMemory {
  /** Returns undefined if nothing is stored. */
  load(): Promise<ReadonlyMap<string, HeldPolicy> | undefined>
  /** @returns whether the policies are stored; a failure may be temporary */
  save(policies: ReadonlyMap<string, HeldPolicy>): Promise<boolean>
}

/** Maximum bytes of the file. The policies of a node have some megabytes, so the agent does not write a longer file. */
const maxBytes = 256 * mebibyte

/** @param namespace the namespace that vArmor would have in a cluster */
export function policyMemory(path: string, namespace: string, logger: Logger): PolicyMemory {
  let failing = false
  return {
    async load() {
      try {
        if ((await stat(path)).size > maxBytes) throw new SyntaxError(`the file has more than ${maxBytes} bytes`)
        const { policies, others } = read(await readFile(path, 'utf8'), namespace)
        if (others > 0) {
          const what =
            'some stored policies cannot be read and are ignored; a copy of the file is kept with the suffix .bad'
          logger.warn({ file: path, count: others }, what)
          await putAside(path)
        }
        return policies
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'ENOENT') return undefined
        if (code === undefined && !(error instanceof SyntaxError)) throw error
        const remedy = 'policies whose files have mistakes are not in force until the mistakes are corrected'
        logger.warn({ file: path, err: error }, `cannot read the stored policies: ${remedy}`)
        await putAside(path)
        return undefined
      }
    },
    async save(policies) {
      const text = JSON.stringify({ policies: [...policies.values()] })
      try {
        await mkdir(dirname(path), { recursive: true, mode: 0o755 })
        await writeFile(`${path}.new`, text, { mode: 0o600 })
        await rename(`${path}.new`, path)
        failing = false
        return true
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === undefined) throw error
        if (!failing)
          logger.warn(
            { file: path, err: error },
            'cannot store the policies in force for the next start; retrying; check the space on the disk',
          )
        failing = true
        return false
      }
    },
  }
}

/** Copies an invalid file, so that an administrator can look at it. The start continues even if this fails. */
async function putAside(path: string): Promise<void> {
  await copyFile(path, `${path}.bad`).catch((error: NodeJS.ErrnoException) => {
    if (error.code === undefined) throw error
  })
}

/** @returns the valid policies, and the number of invalid policies */
function read(text: string, namespace: string): { policies: ReadonlyMap<string, HeldPolicy>; others: number } {
  const value: unknown = JSON.parse(text)
  const all = isObject(value) ? value['policies'] : undefined
  if (!Array.isArray(all)) throw new SyntaxError('it was not written by vArmor')
  const held = all.filter((one) => isHeld(one, namespace))
  if (held.length === 0 && all.length > 0) throw new SyntaxError('it was not written by vArmor')
  return { policies: new Map(held.map((policy) => [titleOf(policy), policy])), others: all.length - held.length }
}

const text = Type.String({ maxLength: 4_096 })
const stored = Type.Object({
  file: text,
  document: Type.Object({
    metadata: Type.Object({
      name: text,
      namespace: Type.Optional(text),
      labels: Type.Optional(Type.Record(Type.String(), text)),
      annotations: Type.Optional(Type.Record(Type.String(), Type.String())),
      finalizers: Type.Optional(Type.Array(text)),
      ownerReferences: Type.Optional(Type.Array(Type.Object({ kind: text, name: text }))),
    }),
    spec: Type.Unknown(),
  }),
})

function isHeld(value: unknown, namespace: string): value is HeldPolicy {
  if (!Value.Check(stored, value)) return false
  const { document } = value
  if (validateSchema(nodeOf(armorProfileSpec), document.spec, { newer: true, max: 1 }).length > 0) return false
  return whyNotMade(document as unknown as ArmorProfile, namespace) === undefined
}
