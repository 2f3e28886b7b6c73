import { expect } from 'chai'
import { RecentMap } from '../../src/base/recent-map.ts'

describe('a map of what was used last', () => {
  it('keeps so many, and forgets what was not asked for longest', () => {
    const dropped: number[] = []
    const map = new RecentMap<number, string>(4_096, (key) => dropped.push(key))
    for (let key = 0; key < 4_096; key++) map.set(key, `${key}`)
    expect(map.get(0)).to.equal('0')
    for (let key = 4_096; key < 10_000; key++) {
      map.set(key, `${key}`)
      if (key % 1_000 === 0) map.get(0)
    }
    expect(map.size).to.equal(4_096)
    expect(dropped).to.have.length(10_000 - 4_096)
    expect([map.get(0), map.get(1), map.get(9_999)]).to.deep.equal(['0', undefined, '9999'])
  })
})
