import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { whyNotMade } from '../../api/made-by-manager.ts'
import type { ArmorProfile } from '../../api/types.ts'
import { isObject } from '../../api/validate-schema.ts'
import type { Logger } from '../../base/logger.ts'
import { type HeldPolicy, titleOf } from './policy-set.ts'

/** What is in force, for the next start: a file may have a mistake by then, and what it said before is to stay in force. */
export interface PolicyMemory {
  /** Undefined where there is none. */
  load(): Promise<ReadonlyMap<string, HeldPolicy> | undefined>
  /** @returns whether it is kept now; what keeps it from that may pass */
  save(policies: ReadonlyMap<string, HeldPolicy>): Promise<boolean>
}

/** @param namespace where vArmor would be installed */
export function policyMemory(path: string, namespace: string, logger: Logger): PolicyMemory {
  let failing = false
  return {
    async load() {
      try {
        return read(await readFile(path, 'utf8'), namespace)
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'ENOENT') return undefined
        if (code === undefined && !(error instanceof SyntaxError)) throw error
        const remedy = 'files with mistakes are not in force until they are mended'
        logger.warn({ file: path, err: error }, `what was in force cannot be read: ${remedy}`)
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
            'what is in force cannot be noted for the next start, which is tried again; make room for it',
          )
        failing = true
        return false
      }
    },
  }
}

function read(text: string, namespace: string): ReadonlyMap<string, HeldPolicy> {
  const value: unknown = JSON.parse(text)
  const policies = isObject(value) ? value['policies'] : undefined
  if (!Array.isArray(policies) || !policies.every((one) => isHeld(one, namespace)))
    throw new SyntaxError('it is none of ours')
  return new Map(policies.map((policy) => [titleOf(policy), policy]))
}

function isHeld(value: unknown, namespace: string): value is HeldPolicy {
  if (!isObject(value) || typeof value['file'] !== 'string') return false
  const document = value['document']
  if (!isObject(document) || !isObject(document['metadata']) || !isObject(document['spec'])) return false
  if (!isObject(document['spec']['profile'])) return false
  return whyNotMade(document as unknown as ArmorProfile, namespace) === undefined
}
