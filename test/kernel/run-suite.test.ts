import { expect } from 'chai'
import { result } from '../cluster/command.ts'
import { common, suiteGroups } from './suite-groups.ts'

/** Runs a fixture as a suite. @returns its output; undefined if a guest is not available */
async function printed(fixture: string): Promise<string | undefined> {
  const { missingForGuest } = await import('./guest/requirements.ts')
  if (missingForGuest().length > 0) return undefined
  const script = `
    const { runSuite } = await import('./test/kernel/run-suite.ts')
    const group = { name: '${fixture}', wishes: {}, seconds: 0, files: ['../fixtures/${fixture}.ts'] }
    const print = (text) => process.stdout.write(text)
    console.log('all passed: ' + await runSuite({ kernel: '6.12', group, grep: undefined, print }))
  `
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script]
  // The test runs the guest without KVM.
  const { stdout, stderr } = await result(process.execPath, args, { env: { ...process.env, VARMOR_KVM: 'off' } })
  return /NotAvailable/.test(stderr) ? undefined : stdout
}

describe('a suite that runs in a guest', () => {
  it('counts what it saw and names the test in which the kernel died', async function () {
    const stdout = (await printed('panicking')) ?? this.skip()
    expect(stdout).to.match(/^ {2}1 passing\n {2}1 pending\n {2}2 failing$/m)
    expect(stdout).to.contain('1) the guest ended during "a suite has one that ends the kernel":')
    expect(stdout).to.contain('kernel 6.12 panicked: sysrq triggered crash')
    expect(stdout).to.match(/all passed: false\n$/)
  })

  it('is run once more where the emulation failed, and not again', async function () {
    const stdout = (await printed('faulting')) ?? this.skip()
    expect(stdout.split("This was QEMU's emulation")).to.have.length(2)
    // The counts leave out the first attempt.
    expect(stdout.match(/^ {2}\d+ passing$/gm)).to.deep.equal(['  1 passing'])
    expect(stdout).to.match(/^ {2}1 passing\n {2}1 failing$/m)
    expect(stdout).to.contain('kernel 6.12 panicked: Fatal exception in interrupt')
    expect(stdout).to.match(/all passed: false\n$/)
  })
})

describe('the tests of the kernel tier', () => {
  it('share a guest, but those of a folder with wishes have their own', () => {
    const groups = suiteGroups(`${import.meta.dirname}/fixtures/suite`)
    expect(groups).to.deep.equal([
      { name: 'early', wishes: { memoryMiB: 512 }, seconds: 20, files: ['early/fifth.test.ts'] },
      { ...common, files: ['first.test.ts', 'plain/second.test.ts'] },
      {
        name: 'quiet',
        wishes: { commandLine: ['audit=0'] },
        seconds: 60,
        files: ['quiet/deep/fourth.test.ts', 'quiet/third.test.ts'],
      },
    ])
  })
})
