import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { isAlive, type Owner, thisProcess } from './owner.ts'

const prefix = 'varmor-cluster-'
const ownerFile = 'owner.json'
const settled = 60_000

/** The variable that marks the processes of a cluster; its value is the cluster's folder. */
export const folderVariable = 'VARMOR_TEST_CLUSTER'

/** The folder of one cluster. All files and names of the cluster derive from it, so that a later run can find them. */
export interface RunFolder {
  path: string
  /** Six letters or digits that no other such folder of this machine has. */
  id: string
}

export const runFolder = (path: string): RunFolder => ({ path, id: basename(path).slice(prefix.length) })

export const bridgePrefix = (folder: RunFolder): string => `vm${folder.id}`
export const cgroupPrefix = (folder: RunFolder): string => `${prefix}${folder.id}-`

/** Creates a folder that belongs to this process. */
export function createRunFolder(): RunFolder {
  const path = mkdtempSync(join(tmpdir(), prefix))
  writeFileSync(join(path, `${ownerFile}.draft`), JSON.stringify(thisProcess()))
  renameSync(join(path, `${ownerFile}.draft`), join(path, ownerFile))
  for (const part of ['logs', 'pki']) mkdirSync(join(path, part))
  return runFolder(path)
}

function isAbandoned(path: string): boolean {
  try {
    return !isAlive(JSON.parse(readFileSync(join(path, ownerFile), 'utf8')) as Owner)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  // The folder has no owner yet, or another process is removing it; a young folder stays.
  const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
  return age > settled
}

/** The folders of runs that ended without cleanup. */
export const abandonedFolders = (): RunFolder[] =>
  readdirSync(tmpdir())
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(tmpdir(), name))
    .filter(isAbandoned)
    .map(runFolder)
