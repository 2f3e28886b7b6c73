import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { eventually } from '../cluster/wait.ts'
import type { Json } from './api.ts'
import { expectFailure } from './expect-failure.ts'
import { define, definitions, useScope } from './scope.ts'
import type { Target } from './target.ts'

const folder = join(import.meta.dirname, '..', '..', 'deploy', 'crds')
const group = 'crd.varmor.org'

/** The CRDs that the product installs. */
export const ourDefinitions = (): Json[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => parse(readFileSync(join(folder, name), 'utf8')))

const policy = (name: string, rest: Json = {}, target: Json = { kind: 'Deployment', name: 'web' }): Json => ({
  apiVersion: `${group}/v1beta1`,
  kind: 'VarmorPolicy',
  metadata: { name },
  spec: { target, policy: { enforcer: 'AppArmor', mode: 'AlwaysAllow', ...rest } },
})

/** The kinds of crd.varmor.org: how an API server validates and prints them. */
export function ourKinds(target: Target): void {
  describe('the kinds of crd.varmor.org', () => {
    const scope = useScope(target)
    const at = (name?: string): string => scope.group(`${group}/v1beta1`, 'varmorpolicies', name)
    before(async () => {
      for (const crd of ourDefinitions()) await define(scope.api, crd)
    })

    for (const { metadata, spec } of ourDefinitions()) {
      it(`${spec.names.kind} is established, under its short names`, async () => {
        const { status } = await scope.api.read(`${definitions}/${metadata.name}`)
        const states = status.conditions.map(({ type, status }: Json) => `${type} ${status}`)
        expect(states).to.include.members(['NamesAccepted True', 'Established True'])
        expect(states.filter((state: string) => state.startsWith('NonStructuralSchema'))).to.deep.equal([])
        const { resources } = await scope.api.read(`/apis/${group}/v1beta1`)
        const resource = resources.find(({ name }: Json) => name === spec.names.plural)
        expect(resource).to.deep.include({ kind: spec.names.kind, namespaced: spec.scope === 'Namespaced' })
        expect(resource.shortNames ?? []).to.deep.equal(spec.names.shortNames ?? [])
      })
    }

    it('a policy is stored, and its columns are printed', async () => {
      await scope.api.create(at(), policy('good'))
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
      const { body } = await scope.api.get(at('good'), { headers: { accept } })
      const names = body.columnDefinitions.map(({ name }: Json) => name)
      expect(names).to.deep.equal([
        'Name',
        'ENFORCER',
        'MODE',
        'TARGET-KIND',
        'TARGET-NAME',
        'TARGET-SELECTOR',
        'PROFILE-NAME',
        'READY',
        'STATUS',
        'AGE',
        'MESSAGE',
      ])
      expect(body.rows[0].cells.slice(0, 5)).to.deep.equal(['good', 'AppArmor', 'AlwaysAllow', 'Deployment', 'web'])
    })

    it('an unknown field is refused in strictness, and pruned without', async () => {
      const body = policy('unknown', { speed: 'high' })
      expectFailure(await scope.api.post(`${at()}?fieldValidation=Strict`, body), {
        code: 400,
        reason: 'BadRequest',
        message:
          'VarmorPolicy in version "v1beta1" cannot be handled as a VarmorPolicy: strict decoding error: unknown field "spec.policy.speed"',
      })
      expect((await scope.api.create(at(), body)).spec.policy).not.to.have.property('speed')
    })

    const refused: [title: string, body: Json, field: string, message: RegExp][] = [
      [
        'without a target',
        { ...policy('bad'), spec: { policy: policy('bad').spec.policy } },
        'spec.target',
        /^Required value$/,
      ],
      [
        'for an unknown kind',
        policy('bad', {}, { kind: 'Job', name: 'x' }),
        'spec.target.kind',
        /^Unsupported value: "Job": supported values: /,
      ],
      [
        'of an unknown mode',
        policy('bad', { mode: 'Nothing' }),
        'spec.policy.mode',
        /^Unsupported value: "Nothing": supported values: /,
      ],
    ]
    for (const [title, body, field, message] of refused) {
      it(`a policy ${title} is refused`, async () => {
        const reply = await scope.api.post(at(), body)
        expect(reply.status, reply.text).to.equal(422)
        const cause = reply.body.details.causes.find((cause: Json) => cause.field === field)
        expect(cause, reply.text).not.to.equal(undefined)
        expect(cause.message).to.match(message)
      })
    }

    it('the target of a policy cannot be changed', async () => {
      await scope.api.create(at(), policy('targeted'))
      const reply = await scope.api.patch('merge', at('targeted'), { spec: { target: { name: 'other' } } })
      expect(reply.status, reply.text).to.equal(422)
      expect(reply.body.details.causes[0].field).to.match(/^spec\.target/)
    })

    it('the status of a policy is a part of its own', async () => {
      await scope.api.create(at(), policy('status'))
      const reply = await scope.api.patch('merge', `${at('status')}/status`, {
        status: { profileName: 'p', phase: 'Protecting', ready: true },
      })
      expect(reply.status, reply.text).to.equal(200)
      expect(reply.body.metadata.generation).to.equal(1)
      expect((await scope.api.patch('merge', at('status'), { status: { ready: false } })).body.status).to.include({
        ready: true,
      })
    })

    it('a cluster policy is in no namespace', async () => {
      const name = `cluster-${scope.namespace}`
      const path = `/apis/${group}/v1beta1/varmorclusterpolicies`
      scope.atEnd(() => scope.api.delete(`${path}/${name}`))
      const body = { ...policy(name), kind: 'VarmorClusterPolicy' }
      const { metadata } = await scope.api.create(path, body)
      expect(metadata).not.to.have.property('namespace')
      await eventually('it to be listed', async () => {
        const { items } = await scope.api.read(path)
        return items.some((item: Json) => item.metadata.name === name)
      })
    })
  })
}
