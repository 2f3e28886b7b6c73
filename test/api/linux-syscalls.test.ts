import { expect } from 'chai'
import {
  isSyscall,
  type SyscallArchitecture,
  syscallArchitectures,
  syscallName,
  syscallNames,
  syscallNumber,
} from '../../src/api/linux-syscalls.ts'

describe('the system call tables', () => {
  // biome-ignore format: a table reads better
  const facts: [string, SyscallArchitecture, number | undefined][] = [
    ['read', 'x86_64', 0],
    ['unshare', 'x86_64', 272],
    ['unshare', 'aarch64', 97],
    ['unshare', 'i386', 310],
    ['unshare', 'arm', 337],
    ['chmod', 'aarch64', undefined],
    ['fchmodat2', 'riscv64', 452],
    ['socketcall', 'i386', 102],
    ['socketcall', 'x86_64', undefined],
    ['spu_run', 'x86_64', undefined],
    ['no_such_call', 'x86_64', undefined],
  ]
  for (const [name, architecture, number] of facts) {
    it(`has ${name} on ${architecture} as ${number}`, () => {
      expect(syscallNumber(name, architecture)).to.equal(number)
      if (number !== undefined) expect(syscallName(number, architecture)).to.equal(name)
    })
  }

  it('leads from every name to its number and back', () => {
    for (const architecture of syscallArchitectures) {
      for (const name of syscallNames()) {
        const number = syscallNumber(name, architecture)
        if (number !== undefined) expect(syscallName(number, architecture), `${name} ${architecture}`).to.equal(name)
      }
    }
  })

  it('knows names of other architectures, and no others', () => {
    expect(isSyscall('s390_runtime_instr')).to.equal(true)
    expect(isSyscall('opnat')).to.equal(false)
    expect(isSyscall('toString')).to.equal(false)
    expect(syscallName(99999, 'x86_64')).to.equal(undefined)
  })
})
