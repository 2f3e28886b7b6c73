import { accessSync, constants, readFileSync } from 'node:fs'
import type { KernelName } from './kernels.ts'

/** A port of the host's loopback that is forwarded to a port of the guest. */
export interface Forward {
  host: number
  guest: number
}

/** A read-only disk: the path of its image, and the serial that init.sh looks for. */
export interface Disk {
  serial: string
  image: string
}

/** The parts of a guest. */
export interface Machine {
  vmlinuz: string
  initramfs: string
  disks: readonly Disk[]
  memoryMiB: number
  processors: number
  commandLine: readonly string[]
  forwards: readonly Forward[]
  /** The guest's clocks, and its time stamp counter, count instructions. */
  countInstructions?: boolean
  /** Path of the Unix socket at which the host waits for the guest's commands port. */
  channel: string
}

const kernelParameters = [
  'console=ttyS0',
  'quiet',
  // Every kernel fault ends the guest, with the reason on the console.
  'panic=-1',
  'oops=panic',
  'sysctl.vm.panic_on_oom=1',
  'lsm=landlock,lockdown,yama,apparmor,bpf',
  'apparmor=1',
  // Saves time: the guest has no users to protect from each other.
  'mitigations=off',
  'tsc=reliable',
  'no_timer_check',
  'random.trust_cpu=1',
]

/**
 * `tsc_early_khz`, if this machine knows the frequency of its time stamp counter, which the emulated counter shares.
 * A guest that measures it on a busy machine may be wrong by a factor of ten, and its clock with it.
 */
export function clockParameter(cpuinfo = readFileSync('/proc/cpuinfo', 'utf8')): string[] {
  const flags = /^flags\b.*/m.exec(cpuinfo)?.[0].split(/\s/) ?? []
  const megahertz = /^cpu MHz\s*: (\d+)\.(\d{3})$/m.exec(cpuinfo)
  // With the second flag, the file shows the current speed.
  const known = flags.includes('tsc_known_freq') && !flags.includes('aperfmperf')
  return known && megahertz !== null ? [`tsc_early_khz=${megahertz[1]}${megahertz[2]}`] : []
}

/** With `-icount shift=0` an instruction takes a nanosecond, and the time stamp counter counts nanoseconds. */
const countedClock = ['tsc_early_khz=1000000']

function accelerator({ countInstructions, processors }: Machine): string[] {
  if (!countInstructions) return ['-accel', kvmIsUsable() ? 'kvm' : 'tcg,thread=multi']
  if (processors !== 1) throw new Error('instructions are counted on one processor')
  return ['-accel', 'tcg,thread=single', '-icount', 'shift=0']
}

/** A comma separates the properties of a QEMU option; a doubled comma is a literal one. */
const quoted = (path: string): string => path.replaceAll(',', ',,')

const disk = ({ serial, image }: Disk): string[] => [
  '-drive',
  `if=none,id=${serial},file=${quoted(image)},format=raw,readonly=on`,
  '-device',
  `virtio-blk-pci,drive=${serial},serial=${serial}`,
]

/**
 * Tells whether KVM works. An emulated machine may have the device without support by its CPU, and then a boot fails
 * midway. `VARMOR_KVM=off` disables KVM.
 */
export function kvmIsUsable(): boolean {
  if (process.env['VARMOR_KVM'] === 'off') return false
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK)
    return /^flags\b.*\s(vmx|svm)\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'))
  } catch {
    return false
  }
}

/** The command that runs a guest. Its console is standard output. */
export function qemuCommand(machine: Machine): string[] {
  const forwards = machine.forwards.map(({ host, guest }) => `,hostfwd=tcp:127.0.0.1:${host}-10.0.2.15:${guest}`)
  const clock = machine.countInstructions ? countedClock : clockParameter()
  return [
    'qemu-system-x86_64',
    ...['-machine', 'q35', ...accelerator(machine), '-cpu', 'max'],
    ...['-smp', String(machine.processors), '-m', String(machine.memoryMiB)],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-kernel', machine.vmlinuz, '-initrd', machine.initramfs],
    ...['-append', [...kernelParameters, ...clock, ...machine.commandLine].join(' ')],
    ...['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
    ...machine.disks.flatMap(disk),
    ...['-device', 'virtio-serial-pci', '-chardev', `socket,id=commands,path=${quoted(machine.channel)}`],
    ...['-device', 'virtserialport,chardev=commands,name=commands'],
    ...['-netdev', `user,id=network${forwards.join('')}`],
    // Omits the network card's boot program, which the guest does not need.
    ...['-device', 'virtio-net-pci,netdev=network,romfile='],
  ]
}

/** The reason for a guest's end, if its console shows one. */
export function reasonOnConsole(kernel: KernelName, console: string): string | undefined {
  const panic = /Kernel panic - not syncing: (.*)/.exec(console)?.[1]?.trim()
  if (panic === undefined) return undefined
  const memory = /out of memory/i.test(panic)
  return memory ? `the guest (kernel ${kernel}) ran out of memory: ${panic}` : `kernel ${kernel} panicked: ${panic}`
}

/**
 * Tells whether a panic is a fault of QEMU's multi-threaded emulation: while one CPU patches kernel code, another may
 * keep the temporary breakpoint and hit it. Seen once in some sixty boots with QEMU 7.2, and sometimes later, when the
 * kernel patches itself.
 */
export const isEmulationFault = (reason: string): boolean => /panicked: Fatal exception\b/.test(reason)

/**
 * Tells whether a cause other than the kernel ended a guest, so that a retry makes sense. A real fault happens again.
 */
export const isWorthRepeating = (end: unknown): end is Error =>
  end instanceof Error && !kvmIsUsable() && isEmulationFault(end.message)
