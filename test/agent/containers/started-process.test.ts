import { expect } from 'chai'
import { noteExec, startedProcess } from '../../../src/agent/containers/started-process.ts'

describe('the runtime’s word of a process', () => {
  const exec = { type: 'exec-started', containerID: 'c1', pid: 7, at: 1_000 } as const

  it('is of one that started within the seconds before, or in the same', () => {
    const noted: unknown[] = []
    const forks = {
      started: (...all: unknown[]) => {
        noted.push(...all)
        return true
      },
    }
    expect(noteExec(forks, exec)).to.equal(true)
    expect(noted).to.deep.equal([7, 995, 1_001, 'c1'])
    expect(startedProcess(exec)).to.deep.equal([7, { containerID: 'c1', mntNsID: 0, since: 995 }])
  })
})
