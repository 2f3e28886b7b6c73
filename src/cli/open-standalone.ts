import { resolve } from 'node:path'
import { checkFolder, FolderError } from '../agent/standalone/policy-files.ts'
import { StandaloneBackend, type StandaloneSideOptions } from '../agent/standalone/standalone-backend.ts'
import type { AgentArguments } from '../options/agent.ts'
import { printable } from './output.ts'
import { readPolicies } from './read-policies.ts'

/** Opens a folder of policies. If it is unusable, prints the reason on standard error, and returns undefined. */
export async function openStandalone(
  {
    policiesState: memory,
    containerd: containerdSocket,
    cri,
    containerdNamespaces: namespaces,
    dockerDir,
  }: AgentArguments,
  { folder, seccompFolder, logger }: Pick<StandaloneSideOptions, 'folder' | 'seccompFolder' | 'logger'>,
): Promise<StandaloneBackend | undefined> {
  try {
    await checkFolder(folder)
  } catch (error) {
    if (!(error instanceof FolderError)) throw error
    process.stderr.write(`error: ${printable(error.message)}\n`)
    return undefined
  }
  return new StandaloneBackend({
    ...{ folder: resolve(folder), memory, read: readPolicies, seccompFolder, logger },
    ...{ containerdSocket, criSocket: cri, namespaces, dockerFolder: dockerDir },
  })
}
