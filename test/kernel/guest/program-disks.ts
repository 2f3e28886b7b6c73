import { copyFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { NotAvailable } from '../../cluster/binaries/build.ts'
import { ensureContainerd } from '../../cluster/binaries/containerd.ts'
import { ensureRunc } from '../../cluster/binaries/runc.ts'
import { probe } from '../../cluster/command.ts'
import { goIsRecent, neededGo } from '../../cluster/requirements.ts'
import { measured, type StepLog } from '../../cluster/steps.ts'
import { digest, kernelCached, subfolder } from './cache.ts'
import type { Disk } from './qemu.ts'
import { makeSquashfs } from './squashfs.ts'

/** Programs that the cluster tier built; their folder's name states the version and the build. */
interface Built {
  name: 'containerd' | 'runc'
  programs: readonly string[]
  /**
   * Builds the programs.
   * @returns their folder
   */
  ensure(log: StepLog): Promise<string>
}

/** Path of containerd 2 and its shim in a guest with this disk. */
export const containerdInGuest = '/images/containerd'

/**
 * A disk with the containerd of the cluster tier.
 * @returns undefined, after printing the reason, if this machine cannot build it
 */
export const containerdDisk = (log: StepLog): Promise<Disk | undefined> =>
  diskOf(
    { name: 'containerd', programs: ['containerd', 'containerd-shim-runc-v2'], ensure: ensureContainerd },
    log,
    console.warn,
  )

/**
 * A disk with the runc of the cluster tier, which accepts flags in seccomp profiles, at `newRunc` in the guest.
 * @param warn receives the reason if this machine cannot build runc
 */
export const runcDisk = (log: StepLog, warn: (text: string) => void): Promise<Disk | undefined> =>
  diskOf({ name: 'runc', programs: ['runc'], ensure: ensureRunc }, log, warn)

async function diskOf(built: Built, log: StepLog, warn: (text: string) => void): Promise<Disk | undefined> {
  const go = neededGo()
  const without = `without the ${built.name} of the cluster tier`
  if (!goIsRecent(probe('go', 'env', 'GOVERSION') ?? '', go)) {
    warn(`${without}: needs Go ${go} or later, which builds it`)
    return undefined
  }
  try {
    return await ensureDisk(built, log)
  } catch (error) {
    if (!(error instanceof NotAvailable)) throw error
    warn(`${without}: ${error.message}`)
    return undefined
  }
}

async function ensureDisk({ name, programs, ensure }: Built, log: StepLog): Promise<Disk> {
  const built = await ensure(log)
  const folder = await kernelCached(name, digest('layout 1', basename(built)), (draft) =>
    measured(log, `disk with ${name}`, async () => {
      const root = subfolder(draft, 'root')
      for (const program of programs) copyFileSync(join(built, program), join(root, program))
      await makeSquashfs(root, join(draft, `${name}.squashfs`))
      rmSync(root, { recursive: true })
    }),
  )
  return { serial: `image-${name}`, image: join(folder, `${name}.squashfs`) }
}
