import { accessSync, constants, readFileSync } from 'node:fs'
import type { KernelName } from './kernels.ts'

/** A port of the host's loopback that leads to one of the guest. */
export interface Forward {
  host: number
  guest: number
}

/** A read-only disk: the path of its image, and the serial by which init.sh knows it. */
export interface Disk {
  serial: string
  image: string
}

/** What a guest is made of. */
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
  // Whatever goes wrong in the kernel ends the guest, with the reason on the console.
  'panic=-1',
  'oops=panic',
  'sysctl.vm.panic_on_oom=1',
  'lsm=landlock,lockdown,yama,apparmor,bpf',
  'apparmor=1',
  // Only time is saved: nobody in the guest is to be protected from anybody.
  'mitigations=off',
  'tsc=reliable',
  'no_timer_check',
  'random.trust_cpu=1',
]

/**
 * `tsc_early_khz`, where this machine was given the frequency of its time stamp counter, which is also the emulated
 * one's. A guest that measures it, while others keep it from its processor, may be wrong by a factor of ten; its clock then is,
 * too.
 */
export function clockParameter(cpuinfo = readFileSync('/proc/cpuinfo', 'utf8')): string[] {
  const flags = /^flags\b.*/m.exec(cpuinfo)?.[0].split(/\s/) ?? []
  const megahertz = /^cpu MHz\s*: (\d+)\.(\d{3})$/m.exec(cpuinfo)
  // With the second flag it is the speed of the moment that is shown.
  const known = flags.includes('tsc_known_freq') && !flags.includes('aperfmperf')
  return known && megahertz !== null ? [`tsc_early_khz=${megahertz[1]}${megahertz[2]}`] : []
}

/** With `-icount shift=0` an instruction takes a nanosecond, and the time stamp counter counts these. */
const countedClock = ['tsc_early_khz=1000000']

function accelerator({ countInstructions, processors }: Machine): string[] {
  if (!countInstructions) return ['-accel', kvmIsUsable() ? 'kvm' : 'tcg,thread=multi']
  if (processors !== 1) throw new Error('instructions are counted on one processor')
  return ['-accel', 'tcg,thread=single', '-icount', 'shift=0']
}

/** A comma separates the properties of a QEMU option; a doubled one is meant. */
const quoted = (path: string): string => path.replaceAll(',', ',,')

const disk = ({ serial, image }: Disk): string[] => [
  '-drive',
  `if=none,id=${serial},file=${quoted(image)},format=raw,readonly=on`,
  '-device',
  `virtio-blk-pci,drive=${serial},serial=${serial}`,
]

/**
 * Whether KVM can be used. A machine that is itself emulated may have the device and not the processor's support for it,
 * and then fails in the middle of a boot. `VARMOR_KVM=off` leaves it alone.
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

/** The command that runs a guest: its console is standard output. */
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
    // Without the network card's own boot program, which is of no use here.
    ...['-device', 'virtio-net-pci,netdev=network,romfile='],
  ]
}

/** Why a guest has ended, if its console says so. */
export function reasonOnConsole(kernel: KernelName, console: string): string | undefined {
  const panic = /Kernel panic - not syncing: (.*)/.exec(console)?.[1]?.trim()
  if (panic === undefined) return undefined
  const memory = /out of memory/i.test(panic)
  return memory ? `the guest (kernel ${kernel}) ran out of memory: ${panic}` : `kernel ${kernel} panicked: ${panic}`
}

/**
 * Whether a panic is a fault of QEMU's emulation with several threads: while one processor patches the kernel's code
 * another may keep the breakpoint that stood there for a moment, and run into it. Seen once in some sixty boots, with
 * QEMU 7.2, and now and then later, whenever the kernel patches itself.
 */
export const isEmulationFault = (reason: string): boolean => /panicked: Fatal exception\b/.test(reason)

/** Whether a guest's end says nothing of its kernel: it is worth one more attempt. What it really does it does again. */
export const isWorthRepeating = (end: unknown): end is Error =>
  end instanceof Error && !kvmIsUsable() && isEmulationFault(end.message)
