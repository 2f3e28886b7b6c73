import { expect } from 'chai'
import { OrderedQueue } from '../../../src/audit/pipeline/ordered-queue.ts'

describe('the order of one source', () => {
  it('reaches a position when everything up to it is settled', () => {
    const queue = new OrderedQueue()
    const [first, second] = [queue.enter('a', 5), queue.enter('b', 6)]
    expect([queue.depth, queue.oldest, queue.reached]).to.deep.equal([2, 5, undefined])
    queue.settle(second)
    expect([queue.depth, queue.reached]).to.deep.equal([2, undefined])
    queue.settle(first)
    expect([queue.depth, queue.oldest, queue.reached]).to.deep.equal([0, undefined, 'b'])
    queue.stored('b')
    expect([queue.reached, queue.place]).to.deep.equal([undefined, 'b'])
  })

  it('reaches nothing at or behind lines that were lost, ever', () => {
    const queue = new OrderedQueue()
    const all = ['a', 'b', 'c'].map((position) => queue.enter(position, 0))
    all[1]!.lost = true
    for (const one of all) queue.settle(one)
    expect([queue.depth, queue.reached]).to.deep.equal([0, 'a'])
    queue.settle(queue.enter('d', 0))
    expect(queue.reached).to.equal('a')
  })

  it('calls back when what came in is reached, at once where nothing is open, and never behind lines that were lost', () => {
    const queue = new OrderedQueue()
    const called: string[] = []
    const note = (what: string) => () => void called.push(`${what} at ${queue.reached}`)
    queue.whenReached(note('nothing'))
    const [first, second] = [queue.enter('a', 0), queue.enter(undefined, 0)]
    queue.whenReached(note('both'))
    queue.settle(second)
    expect(called).to.deep.equal(['nothing at undefined'])
    queue.settle(first)
    expect(called.splice(0)).to.deep.equal(['nothing at undefined', 'both at a'])
    const lost = queue.enter('b', 0)
    queue.whenReached(note('lost'))
    lost.lost = true
    queue.settle(lost)
    queue.whenReached(note('behind'))
    expect(called).to.deep.equal([])
  })
})
