import { expect } from 'chai'
import { expectFailure } from './expect-failure.ts'
import { deployment, pod } from './samples.ts'
import { useKind, useScope } from './scope.ts'
import type { Target } from './target.ts'

/** `/status` and `/scale`: each writes only its own part. */
export function subresources(target: Target): void {
  describe('subresources', () => {
    const scope = useScope(target)
    const group = 'subresources.varmor.test'
    const number = { type: 'integer' }
    useKind(scope, {
      kind: 'Scaled',
      plural: 'scaleds',
      group,
      version: {
        subresources: {
          status: {},
        },
      },
      schema: {
        type: 'object',
        properties: {
          spec: { type: 'object', properties: { replicas: number } },
          status: { type: 'object', properties: { replicas: number, selector: { type: 'string' } } },
        },
      },
    })
    const at = (name?: string): string => scope.group(`${group}/v1`, 'scaleds', name)
    const scaled = (name: string, rest: object = {}): object => ({
      apiVersion: `${group}/v1`,
      kind: 'Scaled',
      metadata: { name },
      spec: { replicas: 1 },
      ...rest,
    })
    before(() => scope.accountReady())

    it('a status at creation is dropped', async () => {
      const body = await scope.api.create(at(), scaled('fresh', { status: { replicas: 5 } }))
      expect(body).not.to.have.property('status')
    })

    it('an update writes no status, and an update of the status nothing else', async () => {
      const created = await scope.api.create(at(), scaled('parts'))
      const status = await scope.api.put(`${at('parts')}/status`, {
        ...created,
        metadata: { ...created.metadata, labels: { a: 'b' } },
        spec: { replicas: 9 },
        status: { replicas: 3 },
      })
      expect(status.status, status.text).to.equal(200)
      expect(status.body).to.deep.include({ spec: { replicas: 1 }, status: { replicas: 3 } })
      expect(status.body.metadata).not.to.have.property('labels')
      expect(status.body.metadata.generation).to.equal(1)
      const spec = await scope.api.put(at('parts'), { ...status.body, spec: { replicas: 2 }, status: { replicas: 8 } })
      expect(spec.body).to.deep.include({ spec: { replicas: 2 }, status: { replicas: 3 } })
      expect(spec.body.metadata.generation).to.equal(2)
    })

    it('a status can be patched and read', async () => {
      await scope.api.create(at(), scaled('patched'))
      const reply = await scope.api.patch('merge', `${at('patched')}/status`, { status: { selector: 'a=b' } })
      expect(reply.body.status).to.deep.equal({ selector: 'a=b' })
      expect((await scope.api.read(`${at('patched')}/status`)).status).to.deep.equal({ selector: 'a=b' })
    })

    it('a deployment has a scale', async () => {
      const path = scope.group('apps/v1', 'deployments')
      await scope.api.create(path, deployment('scale', 0))
      const scale = await scope.api.read(`${path}/scale/scale`)
      expect(scale.status).to.deep.equal({ replicas: 0, selector: 'app=scale' })
      expect(scale.spec).to.deep.equal({})
      const reply = await scope.api.patch('merge', `${path}/scale/scale`, { spec: { replicas: 2 } })
      expect(reply.body.spec).to.deep.equal({ replicas: 2 })
      expect((await scope.api.read(`${path}/scale`)).spec.replicas).to.equal(2)
    })

    it('a scale below zero is refused', async () => {
      const path = scope.group('apps/v1', 'deployments')
      await scope.api.create(path, deployment('below', 0))
      expectFailure(await scope.api.patch('merge', `${path}/below/scale`, { spec: { replicas: -1 } }), {
        code: 422,
        reason: 'Invalid',
        message:
          'Scale.autoscaling "below" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
      })
    })

    it("a pod's status can be written, and its spec cannot be changed there", async () => {
      await scope.api.create(scope.core('pods'), pod('status'))
      const path = `${scope.core('pods', 'status')}/status`
      const reply = await scope.api.patch('strategic', path, {
        spec: { hostname: 'ignored' },
        status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
      })
      expect(reply.status, reply.text).to.equal(200)
      expect(reply.body.status).to.include({ phase: 'Running' })
      expect(reply.body.spec).not.to.have.property('hostname')
    })

    it('what may change in a pod is said to who changes something else', async () => {
      await scope.api.create(scope.core('pods'), pod('fixed'))
      const reply = await scope.api.patch('merge', scope.core('pods', 'fixed'), { spec: { hostname: 'other' } })
      expect(reply.status).to.equal(422)
      expect(reply.body.message).to.match(
        /^Pod "fixed" is invalid: spec: Forbidden: pod updates may not change fields other than `spec\.containers\[\*\]\.image`/,
      )
    })

    it('a pod can be bound to a node once', async () => {
      await scope.api.create(scope.core('pods'), pod('bound'))
      const path = `${scope.core('pods', 'bound')}/binding`
      const binding = {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name: 'bound' },
        target: { kind: 'Node', name: 'n1' },
      }
      const reply = await scope.api.post(path, binding)
      expect(reply.status, reply.text).to.equal(201)
      expect(reply.body).to.include({ kind: 'Status', status: 'Success', code: 201 })
      expect((await scope.api.read(scope.core('pods', 'bound'))).spec.nodeName).to.equal('n1')
      expectFailure(await scope.api.post(path, binding), {
        code: 409,
        reason: 'Conflict',
        message: 'Operation cannot be fulfilled on pods/binding "bound": pod bound is already assigned to node "n1"',
      })
    })

    it('an unknown one is 404', async () => {
      await scope.api.create(at(), scaled('plain'))
      const reply = await scope.api.get(`${at('plain')}/nothing`)
      expect(reply.status).to.equal(404)
    })
  })
}
