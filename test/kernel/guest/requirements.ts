import { existsSync } from 'node:fs'
import { arch } from 'node:os'
import { join } from 'node:path'
import { probe } from '../../cluster/command.ts'
import { busybox, type Missing } from '../../cluster/requirements.ts'
import { debianKeyring } from './apt.ts'
import { findProgram, guestPrograms } from './root-files.ts'

const install = (name: string): string => `run .ci/setup, or: apt-get install ${name}`

/** Programs that build and boot a guest on the host, and the Debian package of each. */
const hostPrograms = {
  'qemu-system-x86_64': 'qemu-system-x86',
  mksquashfs: 'squashfs-tools',
  sqfstar: 'squashfs-tools',
  depmod: 'kmod',
  cpio: 'cpio',
  xz: 'xz-utils',
  'apt-get': 'apt',
  'dpkg-deb': 'dpkg',
  gcc: 'build-essential',
  setpriv: 'util-linux',
  flock: 'util-linux',
}

/** Programs that this machine lacks. */
export function missingForGuest(): Missing[] {
  const missing: Missing[] = []
  if (process.platform !== 'linux' || arch() !== 'x64') {
    missing.push({ what: 'Linux on x86-64', remedy: 'run it on such a machine' })
  }
  const programs = [...Object.entries(hostPrograms), ...guestPrograms.map(({ name, from }) => [name, from] as const)]
  for (const [program, name] of programs) {
    if (findProgram(program) === undefined) missing.push({ what: program, remedy: install(name) })
  }
  if (!existsSync(busybox) || probe('ldd', busybox) !== undefined) {
    missing.push({ what: 'a static busybox', remedy: install('busybox-static') })
  }
  if (!existsSync(debianKeyring)) {
    missing.push({ what: "Debian's keyring", remedy: install('debian-archive-keyring') })
  }
  if (!existsSync(join('/usr/lib/cni', 'bridge'))) {
    missing.push({ what: 'the CNI plugins', remedy: install('containernetworking-plugins') })
  }
  return missing
}
