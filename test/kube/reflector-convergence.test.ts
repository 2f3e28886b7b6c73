import { expect } from 'chai'
import { ApiError } from '../../src/kube/api-error.ts'
import { thing, things } from './harness.ts'
import { serveModel } from './model-http.ts'
import { checkConvergence } from './reflector-convergence.ts'

describe('kube reflector on a server that fails at random, and on a way that does', () => {
  for (const seed of [1, 2, 3])
    it(`converges (seed ${seed})`, async () => {
      const { model, server } = await serveModel()
      const context = { verb: 'watch', path: '' }
      const refusal = (code: number, reason: string) => new ApiError(code, { code, reason }, context)
      const report = await checkConvergence(
        {
          server: server.url,
          namespace: 'default',
          kind: { ref: things, make: (name, value) => thing(name, '', { value }) },
          faults: {
            compact: () => model.compact(),
            'compact and drop watches': () => {
              model.compact()
              model.endWatches()
            },
            '410 in the stream': () => model.endWatches(refusal(410, 'Expired')),
            '500 in the stream': () => model.endWatches(refusal(500, 'InternalError')),
            'a list that fails': () => void model.listFaults.push(refusal(500, 'InternalError')),
            'watches that fail': () => void model.watchFaults.push(refusal(429, 'TooManyRequests')),
            'events twice': () => {
              model.repeats = !model.repeats
            },
            'small pages': () => {
              model.pageSize = model.pageSize === undefined ? 7 : undefined
            },
          },
        },
        { seed },
      )
      await server.stop()
      expect(report.changesMade).to.be.above(200)
      expect(report.failures).to.be.above(3)
    })
})
