import { expect } from 'chai'
import { checkConvergence } from '../kube/reflector-convergence.ts'
import { describeCluster } from './describe-cluster.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

describeCluster(
  'a reflector of a real Kubernetes',
  (cluster) => {
    for (const seed of [1, 2]) {
      it(`converges while the server is killed, compacted and cut off (seed ${seed})`, async () => {
        const { server, ca, pki } = cluster()
        const { certificate, key } = pki.users.admin
        const namespace = `converging-${seed}`
        await cluster().kubectl(['create', 'namespace', namespace])
        const api = () => cluster().component('kube-apiserver')
        const report = await checkConvergence(
          {
            server,
            ca,
            credentials: { certData: base64(certificate), keyData: base64(key) },
            namespace,
            faults: {
              'killed and started again': async () => {
                await api().kill()
                await api().start()
                await api().ready()
              },
              'compacted and restarted': async () => {
                await cluster().compact()
                await api().restart()
              },
              compacted: () => cluster().compact(),
            },
          },
          { seed, steps: 250, timeout: 60 },
        )
        expect(report.changesMade).to.be.above(100)
        expect(report.faults).to.include.any.keys('killed and started again', 'compacted and restarted')
      })
    }
  },
  { harm: true },
)
