import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { probe } from './command.ts'

/** Why a part of the tier cannot run here, and how to fix it. */
export interface Missing {
  what: string
  remedy: string
}

export const cniPlugins = '/usr/lib/cni'
export const busybox = '/bin/busybox'

const install = (...packages: string[]): string => `run .ci/setup, or: apt-get install ${packages.join(' ')}`

/** The go line of the module that builds the cluster. */
export const neededGo = (): string =>
  /^go (\d+\.\d+)/m.exec(readFileSync(join(import.meta.dirname, 'binaries', 'go.mod'), 'utf8'))![1]!

/** Tells whether `have` (`go1.26.8`) is at least `need` (`1.26`). */
export function goIsRecent(have: string, need: string): boolean {
  const numbers = (version: string): [number, number] => {
    const [, major, minor] = /(\d+)\.(\d+)/.exec(version) ?? ['', '0', '0']
    return [Number(major), Number(minor)]
  }
  const [haveMajor, haveMinor] = numbers(have)
  const [needMajor, needMinor] = numbers(need)
  return haveMajor > needMajor || (haveMajor === needMajor && haveMinor >= needMinor)
}

/** Requirements of a control plane that this machine lacks. */
export function missingForControlPlane(): Missing[] {
  const missing: Missing[] = []
  if (process.platform !== 'linux') missing.push({ what: 'Linux', remedy: 'run it in a Linux machine' })
  const need = neededGo()
  const have = probe('go', 'env', 'GOVERSION')
  if (have === undefined || !goIsRecent(have, need)) {
    const what = `Go ${need} or later (${have === undefined ? 'there is none' : `this is ${have}`}), which builds Kubernetes`
    missing.push({ what, remedy: 'install it from go.dev/dl and put its bin folder into PATH' })
  }
  for (const program of ['flock', 'setpriv']) {
    if (probe(program, '--version') === undefined) missing.push({ what: program, remedy: install('util-linux') })
  }
  return missing
}

/** Additional requirements of real nodes that this machine lacks. */
export function missingForNodes(): Missing[] {
  const missing: Missing[] = []
  if (process.getuid?.() !== 0) missing.push({ what: 'root', remedy: 'run the tests as root' })
  const programs = [
    ['containerd', 'containerd'],
    ['ctr', 'containerd'],
    ['runc', 'runc'],
    ['ip', 'iproute2'],
    ['umount', 'mount'],
  ] as const
  for (const [program, name] of programs) {
    if (probe(program, program === 'ip' ? '-V' : '--version') === undefined) {
      missing.push({ what: program, remedy: install(name) })
    }
  }
  if (!existsSync(join(cniPlugins, 'bridge'))) {
    missing.push({ what: 'the CNI plugins', remedy: install('containernetworking-plugins') })
  }
  // A statically linked busybox needs no libraries in an image.
  if (!existsSync(busybox) || probe('ldd', busybox) !== undefined) {
    missing.push({ what: 'a static busybox', remedy: install('busybox-static') })
  }
  return missing
}

/** One line that explains why tests were skipped. */
export const explain = (tier: string, missing: readonly Missing[]): string =>
  `${tier} skipped: ${missing.map(({ what, remedy }) => `needs ${what}; ${remedy}`).join('. ')}`
