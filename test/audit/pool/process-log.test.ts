import { expect } from 'chai'
import { ProcessLog, type SeenProcess } from '../../../src/audit/pool/process-log.ts'

describe('findings about processes that workers share', () => {
  it('are the newest of a bounded number, whatever a worker has missed', () => {
    const log = new ProcessLog()
    const seen = (pid: number): SeenProcess => [pid, { containerID: 'c', mntNsID: 1, since: 0 }]
    for (let pid = 1; pid <= 50_000; pid++) {
      log.add([seen(pid)])
      expect(log.size).to.be.at.most(2 * 8_192)
    }
    const pids = log.since(0).map(([pid]) => pid)
    expect(pids).to.deep.equal(Array.from({ length: 8_192 }, (_, i) => 50_000 - 8_191 + i))
    expect(log.since(49_999)).to.deep.equal([seen(50_000)])
    expect(log.since(50_000)).to.deep.equal([])
  })
})
