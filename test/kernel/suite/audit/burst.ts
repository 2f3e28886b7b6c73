import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { refusedCalls } from '../../../../src/agent/containers/refused-calls.ts'
import { kubeletSeccompFolder, SeccompLoader } from '../../../../src/enforcer/seccomp.ts'
import { until } from '../../../cli/child.ts'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { Container } from '../harness/container.ts'
import { compiled, identityOf, policyOf } from '../harness/profiles.ts'
import { seccompFlags, seccompOptions } from '../harness/seccomp-reports.ts'

/** Root of the Debian image, with its programs and the probes. */
export const debianRoot = '/run/debian'
export const profile = 'varmor-demo-burst'
const target = '/data'

/** The rules allow the network, because the probe prints to a socket. */
const rules = `abi <abi/3.0>,
profile ${profile} flags=(attach_disconnected,mediate_deleted) {
  file,
  capability,
  network,
  audit deny ${target}/** wl,
}
`

/** Mounts the Debian image and loads the profile. */
export async function prepare(): Promise<void> {
  await output('containerd-up', [])
  mkdirSync(debianRoot, { recursive: true })
  mkdirSync(target, { recursive: true })
  await output('ctr', ['-n', 'k8s.io', 'images', 'mount', '--rw', debianImage, debianRoot])
  await output('apparmor_parser', ['--replace', '--skip-cache'], { input: rules })
}

/**
 * Causes denials as fast as possible, in a separate mount namespace as in a container.
 * @returns the number of refused files
 */
export async function denials(count: number): Promise<number> {
  const confined = `echo -n "exec ${profile}" > /proc/self/attr/exec`
  const script = `${confined}; exec ${debianRoot}/probes/denials ${target} ${count}`
  const printed = await output('unshare', ['-m', 'sh', '-c', script])
  if (!/^\d+\n?$/.test(printed)) throw new Error(`no number of denials: ${printed}`)
  return Number(printed)
}

/** Counts the different files of the burst that the lines report, and the lines that report any such file. */
export function reported(lines: readonly string[]): { files: number; lines: number } {
  const names = lines.flatMap((line) => /"name":"\/data\/(\d+)"/.exec(line)?.[1] ?? [])
  return { files: new Set(names).size, lines: names.length }
}

/** A program that causes denials as fast as possible. */
export interface Burst {
  /** The content of the agent's file of containers. */
  known: object
  /** @returns the number of refused calls */
  denials(count: number): Promise<number>
  /** Counts the different refusals that the lines report, and the lines that report any refusal. */
  reported(lines: readonly string[]): { files: number; lines: number }
  stop(): Promise<void>
}

/** A process with an AppArmor profile that runs in no container. */
export const burstOfAppArmor = async (): Promise<Burst> => ({
  known: { policies: [{ profileName: profile, kind: 'VarmorPolicy', name: 'burst', namespace: 'demo' }] },
  denials,
  reported,
  stop: async () => undefined,
})

/**
 * A container whose Seccomp filter refuses the call that the probe opens files with. The records have no file names, so
 * their serial numbers distinguish them.
 */
export async function burstOfSeccomp(): Promise<Burst> {
  const args = [{ index: 2, value: 0o2000101, op: 'SCMP_CMP_EQ' }]
  const eacces = { action: 'SCMP_ACT_ERRNO', errnoRet: 13 }
  const policy = policyOf('burst', 'enforced', { syscallRawRules: [{ names: ['openat'], ...eacces, args }] }, 'Seccomp')
  const identity = identityOf(policy)
  const filter = compiled(policy, seccompOptions).enforcers.Seccomp!.profile
  const loader = new SeccompLoader()
  await loader.load(identity.profileName, JSON.stringify(filter))
  const container = await Container.start('burst', {
    image: debianImage,
    flags: seccompFlags(join(kubeletSeccompFolder, identity.profileName)),
    profileName: identity.profileName,
    refusedCalls: refusedCalls(filter),
  })
  let isRunning = false
  /** Until then the process stays a zombie, so that the agent finds its container. */
  const end = async (): Promise<void> => {
    if (isRunning) await container.end()
    isRunning = false
  }
  return {
    known: { containers: [container.info], policies: [identity] },
    denials: async (count) => {
      await end()
      writeFileSync(container.said, '')
      await container.begin(['/probes/denials', '/tmp', String(count)])
      isRunning = true
      const said = await until(async () => readFileSync(container.said, 'utf8') || false)
      if (!/^\d+\n$/.test(said)) throw new Error(`no number of denials: ${said}`)
      return Number(said)
    },
    reported: (lines) => {
      const refused = lines.filter((line) => line.includes('"syscall":"openat"') && line.includes('"action":"DENIED"'))
      return {
        files: new Set(refused.map((line) => /"auditID":"([^"]*)"/.exec(line)?.[1])).size,
        lines: refused.length,
      }
    },
    stop: async () => {
      await end()
      await container.stop()
      await loader.unload(identity.profileName)
    },
  }
}
