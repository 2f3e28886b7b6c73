import { expect } from 'chai'
import { clockParameter, isEmulationFault, qemuCommand, reasonOnConsole } from './qemu.ts'

describe('the command that runs a guest', () => {
  const machine = {
    vmlinuz: '/k',
    initramfs: '/i',
    disks: [{ serial: 'root', image: '/a,b/root' }],
    memoryMiB: 512,
    processors: 1,
    commandLine: ['audit=0'],
    forwards: [{ host: 1234, guest: 80 }],
    channel: '/c',
  }
  it('keeps a comma of a path out of its own commas', () => {
    const command = qemuCommand(machine)
    expect(command).to.include('if=none,id=root,file=/a,,b/root,format=raw,readonly=on')
    expect(command).to.include('user,id=network,hostfwd=tcp:127.0.0.1:1234-10.0.2.15:80')
    expect(command[command.indexOf('-append') + 1]).to.match(/ audit=0$/)
  })

  it('has the time stamp counter count instructions, on one processor', () => {
    const command = qemuCommand({ ...machine, countInstructions: true })
    expect(command.join(' ')).to.include('-accel tcg,thread=single -icount shift=0 ')
    expect(command[command.indexOf('-append') + 1]).to.match(/ tsc_early_khz=1000000 audit=0$/)
    const make = () => qemuCommand({ ...machine, countInstructions: true, processors: 2 })
    expect(make).to.throw('instructions are counted on one processor')
  })
})

describe('the frequency that a guest need not measure', () => {
  const cpu = (flags: string, speed = '2596.150'): string =>
    `model name\t: X\ncpu MHz\t\t: ${speed}\nflags\t\t: fpu ${flags} sse\n`
  const rows: [title: string, cpuinfo: string, parameters: string[]][] = [
    ['is passed on where this machine was given it', cpu('tsc_known_freq'), ['tsc_early_khz=2596150']],
    ['is not guessed from the speed of the moment', cpu('tsc_known_freq aperfmperf'), []],
    ['is not known of a machine that has measured it', cpu('constant_tsc'), []],
    ['is not known of a processor that says nothing', '', []],
  ]
  for (const [title, cpuinfo, parameters] of rows)
    it(title, () => expect(clockParameter(cpuinfo)).to.deep.equal(parameters))
})

describe('why a guest has ended', () => {
  const rows: [console: string, reason: string | undefined][] = [
    ['[ 1.0] Kernel panic - not syncing: sysrq triggered crash\n', 'kernel 6.1 panicked: sysrq triggered crash'],
    [
      'Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled\n',
      'the guest (kernel 6.1) ran out of memory: Out of memory: system-wide panic_on_oom is enabled',
    ],
    ['nothing of note\n', undefined],
  ]
  for (const [console, reason] of rows) {
    it(`${reason ?? 'is not known'}`, () => expect(reasonOnConsole('6.1', console)).to.equal(reason))
  }
})

describe('a panic while an emulated guest boots', () => {
  it('is put down to the emulation if the kernel met a fault, not if it said that it could not go on', () => {
    const reason = (console: string): string => reasonOnConsole('6.1', console)!
    expect(isEmulationFault(reason('Kernel panic - not syncing: Fatal exception in interrupt\n'))).to.equal(true)
    expect(isEmulationFault(reason('Kernel panic - not syncing: VFS: Unable to mount root fs\n'))).to.equal(false)
  })
})
