import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { isAlive, type Owner, thisProcess } from './owner.ts'

const prefix = 'varmor-cluster-'
const ownerFile = 'owner.json'
const settled = 60_000

/** The variable by which the processes of a cluster are known; its value is the cluster's folder. */
export const folderVariable = 'VARMOR_TEST_CLUSTER'

/** Everything of one cluster is in, or named after, its folder, so that a later run can find all of it. */
export interface RunFolder {
  path: string
  /** Six letters or digits that no other folder of this machine has. */
  id: string
}

export const runFolder = (path: string): RunFolder => ({ path, id: basename(path).slice(prefix.length) })

export const bridgePrefix = (folder: RunFolder): string => `vm${folder.id}`
export const cgroupPrefix = (folder: RunFolder): string => `${prefix}${folder.id}-`

/** Makes a folder that belongs to this process. */
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
  // It has no owner yet, or is being removed: leave it alone while it is young.
  const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
  return age > settled
}

/** The folders of runs that have ended without cleaning up. */
export const abandonedFolders = (): RunFolder[] =>
  readdirSync(tmpdir())
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(tmpdir(), name))
    .filter(isAbandoned)
    .map(runFolder)
