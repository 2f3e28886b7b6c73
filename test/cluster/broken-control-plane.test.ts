import { expect } from 'chai'
import type { ComponentName } from './cluster.ts'
import { describeCluster } from './describe-cluster.ts'

describeCluster(
  'a control plane that is broken on purpose',
  (cluster) => {
    const readyz = async (): Promise<number> => (await cluster().client.call('GET', '/readyz')).status

    for (const name of [
      'kube-apiserver',
      'etcd',
      'kube-controller-manager',
      'kube-scheduler',
    ] satisfies ComponentName[]) {
      it(`has ${name} again after it was killed`, async () => {
        const component = cluster().component(name)
        const { pid } = component
        await component.kill()
        expect(component.running).to.equal(false)
        await component.start()
        await component.ready()
        expect(component.pid).not.to.equal(pid)
        await cluster().component('kube-apiserver').ready()
      })
    }

    it('keeps what was written before etcd was killed', async () => {
      await cluster().kubectl(['create', 'configmap', 'kept', '--from-literal=a=b'])
      await cluster().component('etcd').restart()
      await cluster().component('kube-apiserver').ready()
      expect(await cluster().kubectl(['get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}'])).to.equal('b')
    })

    it('answers nothing while the API server is paused, and goes on after it', async () => {
      const apiServer = cluster().component('kube-apiserver')
      try {
        await apiServer.pause()
        const timeout = AbortSignal.timeout(300)
        const error = await cluster()
          .client.call('GET', '/readyz', { signal: timeout })
          .catch((error: Error) => error)
        expect(error).to.have.property('name', 'TimeoutError')
      } finally {
        apiServer.resume()
      }
      expect(await readyz()).to.equal(200)
    })

    it('has forgotten old resource versions after a compaction and a restart: 410', async () => {
      const path = '/api/v1/namespaces/default/configmaps'
      const list = async (
        query: string,
      ): Promise<{ status: number; body: { metadata: { resourceVersion: string } } }> => {
        const { status, text } = await cluster().client.call('GET', `${path}${query}`)
        return { status, body: JSON.parse(text) }
      }
      const { resourceVersion } = (await list('')).body.metadata
      await cluster().kubectl(['create', 'configmap', 'later'])
      const old = `?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`
      expect((await list(old)).status).to.equal(200)
      await cluster().compact()
      await cluster().component('kube-apiserver').restart()
      const { status, body } = await list(old)
      expect(status).to.equal(410)
      expect(body).to.include({ reason: 'Expired' })
    })
  },
  { harm: true },
)
