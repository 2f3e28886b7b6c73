import { expect } from 'chai'
import { type RunningApiServer, startApiServer } from '../../src/sandbox/api-server/start-api-server.ts'
import { checkConvergence } from '../kube/reflector-convergence.ts'
import { type FaultRule, faultsOf } from './faults.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('a reflector of the embedded server', () => {
  let running: RunningApiServer
  before(async () => {
    running = await startApiServer()
  })
  after(() => running.close())

  for (const seed of [1, 2]) {
    it(`converges whatever faults are injected (seed ${seed})`, async () => {
      const { adminCertificate, server, url, caPem } = running
      const faults = faultsOf(server)
      const admin = running.client({ name: 'admin', groups: ['system:masters'] })
      const namespace = `converging-${seed}`
      const made = await admin({ method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: namespace } } })
      expect(made.code).to.equal(201)
      // Only the reflector reads, so faults of reads do not affect the writers.
      const strike = (rule: Omit<FaultRule, 'namespace'>) => () => void faults.add({ namespace, times: 1, ...rule })
      const watches = { verb: 'watch' }
      const lists = { verb: 'list' }
      const report = await checkConvergence(
        {
          server: url,
          ca: caPem,
          credentials: { certData: base64(adminCertificate.certificatePem), keyData: base64(adminCertificate.keyPem) },
          namespace,
          calm: () => faults.clear(),
          faults: {
            compact: () => server.context.store.compact(),
            'cut all watches': () => void server.context.hub.endWhere((spec) => spec.namespace === namespace, 'cut'),
            'end all watches': () => void server.context.hub.endWhere((spec) => spec.namespace === namespace),
            'a watch that is cut': strike({ ...watches, fault: { type: 'watch-cut', events: 3 } }),
            'a watch that is reset': strike({ ...watches, fault: { type: 'watch-cut', events: 2, reset: true } }),
            'a watch that goes silent': strike({ ...watches, fault: { type: 'half-open', events: 1 } }),
            'a watch that is too old': strike({ ...watches, fault: { type: 'expired' } }),
            'a watch that is refused': strike({
              ...watches,
              fault: { type: 'status', code: 429, retryAfterSeconds: 0 },
            }),
            'a list that is too old': strike({ ...lists, fault: { type: 'expired' } }),
            'a list that fails': strike({ ...lists, fault: { type: 'status', code: 500 } }),
            'a list that is late': strike({ ...lists, fault: { type: 'latency', milliseconds: 50 } }),
            'a list whose connection breaks': strike({ ...lists, fault: { type: 'reset', after: true } }),
          },
        },
        { seed },
      )
      expect(report.changesMade).to.be.above(200)
      expect(report.failures).to.be.above(0)
    })
  }
})
