import { expect } from 'chai'
import { result } from '../cluster/command.ts'
import { suiteGroups } from './suite-groups.ts'

const script = `
const { runSuite } = await import('./test/kernel/run-suite.ts')
const group = { name: undefined, wishes: {}, files: ['../fixtures/panicking.ts'] }
console.log('all passed: ' + await runSuite('6.12', group, undefined))
`

describe('a suite that runs in a guest', () => {
  it('counts what it saw and names the test in which the kernel died', async function () {
    const { missingForGuest } = await import('./guest/requirements.ts')
    if (missingForGuest().length > 0) this.skip()
    const args = ['--import', 'tsx', '--input-type=module', '--eval', script]
    const { stdout, stderr } = await result(process.execPath, args)
    if (/NotAvailable/.test(stderr)) this.skip()
    expect(stdout).to.match(/^ {2}1 passing\n {2}1 pending\n {2}2 failing$/m)
    expect(stdout).to.contain('1) the guest ended during "a suite has one that ends the kernel":')
    expect(stdout).to.contain('kernel 6.12 panicked: sysrq triggered crash')
    expect(stdout).to.match(/all passed: false\n$/)
  })
})

describe('the tests of the kernel tier', () => {
  it('share a guest, but those of a folder with wishes have their own', () => {
    const groups = suiteGroups(`${import.meta.dirname}/fixtures/suite`)
    expect(groups).to.deep.equal([
      { name: undefined, wishes: {}, files: ['first.test.ts', 'plain/second.test.ts'] },
      {
        name: 'quiet',
        wishes: { commandLine: ['audit=0'] },
        files: ['quiet/deep/fourth.test.ts', 'quiet/third.test.ts'],
      },
      // Its folder says so.
      { name: 'early', wishes: { memoryMiB: 512 }, files: ['early/fifth.test.ts'] },
    ])
  })
})
