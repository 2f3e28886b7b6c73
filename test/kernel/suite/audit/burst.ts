import { mkdirSync } from 'node:fs'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'

/** Where the Debian image is: its programs, and the probes. */
export const debianRoot = '/run/debian'
export const profile = 'varmor-demo-burst'
const target = '/data'

/** With the network, as what it prints goes through a socket. */
const rules = `abi <abi/3.0>,
profile ${profile} flags=(attach_disconnected,mediate_deleted) {
  file,
  capability,
  network,
  audit deny ${target}/** wl,
}
`

/** Makes the Debian image's files and the profile ready. */
export async function prepare(): Promise<void> {
  await output('containerd-up', [])
  mkdirSync(debianRoot, { recursive: true })
  mkdirSync(target, { recursive: true })
  await output('ctr', ['-n', 'k8s.io', 'images', 'mount', '--rw', debianImage, debianRoot])
  await output('apparmor_parser', ['--replace', '--skip-cache'], { input: rules })
}

/**
 * Runs into denials as fast as it can, in a mount namespace of its own as in a container.
 * @returns how many files were refused
 */
export async function denials(count: number): Promise<number> {
  const confined = `echo -n "exec ${profile}" > /proc/self/attr/exec`
  const script = `${confined}; exec ${debianRoot}/probes/denials ${target} ${count}`
  const printed = await output('unshare', ['-m', 'sh', '-c', script])
  if (!/^\d+\n?$/.test(printed)) throw new Error(`no number of denials: ${printed}`)
  return Number(printed)
}

/** How many different files of the burst the lines are about, and how many lines are about any. */
export function reported(lines: readonly string[]): { files: number; lines: number } {
  const names = lines.flatMap((line) => /"name":"\/data\/(\d+)"/.exec(line)?.[1] ?? [])
  return { files: new Set(names).size, lines: names.length }
}
