import { release } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { VarmorPolicy } from '../../../../src/api/types.ts'
import { kubeletSeccompFolder, SeccompLoader } from '../../../../src/enforcer/seccomp.ts'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import type { Answer } from '../contained-shell.ts'
import { type Command, Container, type ContainerOptions } from '../harness/container.ts'
import { compiled, identityOf, loadAppArmor, unloadAppArmor } from '../harness/profiles.ts'
import type { LimitName } from './limits.ts'
import { equipped, laidOut } from './world.ts'

/**
 * How a program says why it was refused: what strerror(3) says. mount(8) takes EACCES, and nothing else here, for a device that
 * cannot be written, tries again without, and then says that it cannot do that either.
 */
const refusals = {
  EACCES: /permission denied|mount: \S+: (?:bind .+ failed|cannot mount .+ read-only)\./i,
  EPERM: /operation not permitted/i,
  ENAMETOOLONG: /file name too long/i,
  ENOSYS: /function not implemented/i,
}

/** One way round a rule. */
export interface Evasion {
  way: string
  /** Unconfined, before the attack, in the world as it was laid out. */
  prepare?: Command
  attack: Command
  /** The errno by which it is refused; EACCES when left out. */
  errno?: keyof typeof refusals
  /** It gets through: the limit that says why. */
  limit?: LimitName
  /** What the attack prints when it gets through, if not what the table says. */
  gain?: string
  /** Unconfined, afterwards. */
  undo?: Command
  /** Why this kernel cannot show it. */
  skip?: string | undefined
}

export interface Confinement {
  /** A policy as a user writes it. */
  policy: VarmorPolicy
  container?: Pick<ContainerOptions, 'flags'>
  /**
   * The container starts with the filter of the policy too, for good: it has to be another table that shows how the attacks get
   * through without it.
   */
  filtered?: boolean
  /** What an attack of the table prints when it gets through. */
  gain: string
}

/** Whether the kernel of the guest is that new: `linuxFrom(6, 7)`. */
export function linuxFrom(major: number, minor: number): boolean {
  const [ours = 0, theirs = 0] = release().split('.').map(Number)
  return ours > major || (ours === major && theirs >= minor)
}

/** Writes the filter where the agent does. @returns flags of `ctr run` */
async function filterFlags(policy: VarmorPolicy): Promise<string[]> {
  const { profileName, enforcers } = compiled(policy)
  await new SeccompLoader().load(profileName, JSON.stringify(enforcers.Seccomp?.profile))
  return ['--seccomp', '--seccomp-profile', join(kubeletSeccompFolder, profileName)]
}

let containers = 0

/**
 * Tests ways round a policy of AppArmor, each in one container: confined, it is refused, or it gets through as the limit says;
 * unconfined it gets through, so that nothing else has refused it.
 */
export function describeEvasions(title: string, confinement: Confinement, evasions: readonly Evasion[]): void {
  const { policy, container: { flags = [] } = {}, filtered = false } = confinement
  describe(title, () => {
    const { profileName } = identityOf(policy)
    let container: Container

    before(async function () {
      this.timeout(600_000)
      await output('containerd-up', [])
      container = await Container.start(`evasions-${containers++}`, {
        image: debianImage,
        flags: [...flags, ...(filtered ? await filterFlags(policy) : [])],
      })
      await unconfined(equipped)
      await loadAppArmor([policy])
    })
    after(async () => {
      await container?.stop()
      unloadAppArmor([policy])
    })

    async function unconfined(command: Command): Promise<void> {
      const { status, text } = await container.run(command)
      expect(status, text).to.equal(0)
    }

    /** One command where it can be: most of a test's time goes into starting programs. */
    async function layOut({ prepare }: Evasion): Promise<void> {
      await unconfined(typeof prepare === 'string' ? `${laidOut} && { ${prepare}; }` : laidOut)
      if (typeof prepare === 'object') await unconfined(prepare)
    }

    async function attempt(evasion: Evasion, profile?: string): Promise<Answer> {
      await layOut(evasion)
      const answer = await container.run(evasion.attack, profile)
      if (evasion.undo !== undefined) await unconfined(evasion.undo)
      return answer
    }

    for (const evasion of evasions) {
      const { way, limit, errno = 'EACCES', gain = confinement.gain, skip } = evasion
      const outcome = limit === undefined ? 'refused' : `gets through (limit: ${limit})`
      it(`${way}: ${skip ?? outcome}`, async function () {
        if (skip !== undefined) this.skip()
        const { status, text } = await attempt(evasion, profileName)
        const said = `it said ${JSON.stringify(text)}`
        if (limit === undefined) {
          expect(text, said).to.match(refusals[errno])
          expect(text, said).not.to.contain(gain)
          expect(status, said).not.to.equal(0)
          if (filtered) return
          const { text: free } = await attempt(evasion)
          expect(free, 'unconfined').to.contain(gain)
        } else expect(text, said).to.contain(gain)
      })
    }
  })
}
