import { expect } from 'chai'
import { mebibyte } from '../../src/base/bytes.ts'
import type { Caller } from '../../src/kube/caller.ts'
import { MAX_LINE, runWatch } from '../../src/kube/watch-stream.ts'

describe('the line of a watch', () => {
  it('has at most 16 MiB; a longer line ends the watch', async () => {
    const chunk = Buffer.alloc(mebibyte, ' ')
    let pushed = 0
    const stream: Caller['stream'] = async (_request, { data }) => {
      for (; pushed < 2 * MAX_LINE; pushed += chunk.length) data(chunk)
    }
    const [ref, sink] = [{ group: '', version: 'v1', plural: 'pods', kind: 'Pod' }, { changed: () => undefined }]
    const watch = runWatch({ stream } as Caller, ref as never, {} as never, sink, new AbortController().signal)
    const error = await watch.catch((reason: unknown) => reason)
    expect(error).to.have.property('code', 'TOO_LARGE')
    expect(pushed).to.equal(16 * mebibyte)
  })
})
