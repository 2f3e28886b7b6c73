import { expect } from 'chai'
import { eventually } from '../cluster/wait.ts'
import type { Json, Reply } from './api.ts'
import { expectFailure } from './expect-failure.ts'
import { configMap } from './samples.ts'
import { useScope } from './scope.ts'
import type { Target } from './target.ts'
import { mutation, WebhookServer } from './webhook-server.ts'

const registration = '/apis/admissionregistration.k8s.io/v1'
const label = (name: string, value = 'yes'): Json => ({ op: 'add', path: `/metadata/labels/${name}`, value })

interface Hook {
  kind: 'mutating' | 'validating'
  name: string
  rule?: Json
  rest?: Json
}

/** Admission webhooks: they change, refuse, warn and fail, and receive only matching requests. */
export function admissionWebhooks(target: Target): void {
  describe('admission webhooks', () => {
    const scope = useScope(target)
    let server: WebhookServer
    const configurations: string[] = []

    before(async () => {
      server = await WebhookServer.start()
      scope.atEnd(() => server.close())
    })
    afterEach(async () => {
      for (const path of configurations.splice(0).reverse()) await scope.api.delete(path)
      server.calls.length = 0
    })
    const at = (name?: string): string => scope.core('configmaps', name)
    const map = (generateName: string, data: Json = {}, labels: Json = { l: '' }): Json => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { generateName, labels },
      data,
    })
    const create = (prefix = 'made-', labels?: Json): Promise<Reply> => scope.api.post(at(), map(prefix, {}, labels))
    const url = (name: string): Json => server.clientConfig(`/${name}`)

    /** Installs a webhook for config maps of this namespace, and waits until the server asks it. */
    async function install({ kind, name, rule = {}, rest = {} }: Hook): Promise<void> {
      const collection = `${registration}/${kind}webhookconfigurations`
      const webhook = {
        name: `${name}.varmor.test`,
        clientConfig: url(name),
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'], ...rule }],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': scope.namespace } },
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        timeoutSeconds: 5,
        ...rest,
      }
      const configuration = `${name}-${scope.namespace}`
      const probe = {
        ...webhook,
        name: `probe-${name}.varmor.test`,
        clientConfig: url(`probe-${name}`),
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
        objectSelector: {},
        matchConditions: [],
        failurePolicy: 'Fail',
      }
      server.on(`/probe-${name}`, () => ({ allowed: true }))
      configurations.push(`${collection}/${configuration}`)
      await scope.api.create(collection, { metadata: { name: configuration }, webhooks: [probe, webhook] })
      await eventually(`the webhook ${name} to be known`, async () => {
        await scope.api.post(`${at()}?dryRun=All`, map('probe-'))
        return server.callsOf(`/probe-${name}`).length > 0
      })
      server.calls.length = 0
    }

    it('changes an object by a JSON patch', async () => {
      server.on('/change', () => mutation([label('changed'), { op: 'add', path: '/data', value: { a: 'b' } }]))
      await install({ kind: 'mutating', name: 'change' })
      const { status, body } = await create()
      expect(status).to.equal(201)
      expect(body.metadata.labels).to.deep.equal({ l: '', changed: 'yes' })
      expect(body.data).to.deep.equal({ a: 'b' })
    })

    it('gets all about the request', async () => {
      server.on('/asked', () => ({ allowed: true }))
      await install({ kind: 'validating', name: 'asked', rule: { operations: ['CREATE', 'UPDATE', 'DELETE'] } })
      await scope.api.create(at(), configMap('asked', { a: '1' }))
      await scope.api.patch('merge', `${at('asked')}?fieldManager=carol`, { data: { a: '2' } })
      await scope.api.delete(at('asked'))
      // A server that finds a newer object in its store than the reviewed object, because a controller wrote it, sends
      // a second review.
      const reviews = server
        .callsOf('/asked')
        .filter(({ request: { operation } }, i, all) => operation !== all[i - 1]?.request.operation)
      expect(reviews.map(({ request }) => request.operation)).to.deep.equal(['CREATE', 'UPDATE', 'DELETE'])
      expect(reviews[0]).to.include({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1' })
      const [made, changed, deleted] = reviews.map(({ request }) => request)
      expect(made).to.deep.include({
        kind: { group: '', version: 'v1', kind: 'ConfigMap' },
        resource: { group: '', version: 'v1', resource: 'configmaps' },
        requestKind: { group: '', version: 'v1', kind: 'ConfigMap' },
        requestResource: { group: '', version: 'v1', resource: 'configmaps' },
        name: 'asked',
        namespace: scope.namespace,
        oldObject: null,
        dryRun: false,
      })
      expect(made.uid).to.match(/^[0-9a-f-]{36}$/)
      expect(made.userInfo.groups).to.include('system:masters')
      expect(made.object).to.deep.include({ kind: 'ConfigMap', apiVersion: 'v1', data: { a: '1' } })
      expect(made.options).to.deep.include({ kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' })
      // The review is the same for every way to change an object.
      expect(changed.options).to.deep.include({ kind: 'UpdateOptions', fieldManager: 'carol' })
      expect([changed.oldObject.data, changed.object.data]).to.deep.equal([{ a: '1' }, { a: '2' }])
      expect(deleted.object).to.equal(null)
      expect(deleted.oldObject.data).to.deep.equal({ a: '2' })
    })

    it('refuses, with the reason that it gives', async () => {
      server.on('/refuse', () => ({ allowed: false, status: { message: 'not today' } }))
      await install({ kind: 'validating', name: 'refuse' })
      expectFailure(await scope.api.post(at(), configMap('refused')), {
        code: 400,
        message: 'admission webhook "refuse.varmor.test" denied the request: not today',
      })
      expect((await scope.api.get(at('refused'))).status).to.equal(404)
    })

    it('refuses with the code and the reason that it gives', async () => {
      server.on('/code', () => ({ allowed: false, status: { code: 422, reason: 'Invalid', message: 'too big' } }))
      await install({ kind: 'validating', name: 'code' })
      expectFailure(await create(), {
        code: 422,
        reason: 'Invalid',
        message: 'admission webhook "code.varmor.test" denied the request: too big',
      })
    })

    it('refuses without any reason', async () => {
      server.on('/silent', () => ({ allowed: false }))
      await install({ kind: 'validating', name: 'silent' })
      expectFailure(await create(), {
        code: 400,
        message: 'admission webhook "silent.varmor.test" denied the request without explanation',
      })
    })

    it('warns', async () => {
      server.on('/warn', () => ({ allowed: true, warnings: ['mind the gap'] }))
      await install({ kind: 'validating', name: 'warn' })
      const reply = await create()
      expect(reply.status).to.equal(201)
      expect(reply.headers['warning']).to.equal('299 - "mind the gap"')
    })

    it('that changes comes before one that checks, which sees the change', async () => {
      server.on('/first', () => mutation([label('first')]))
      server.on('/second', ({ object }) => ({ allowed: object.metadata.labels.first === 'yes' }))
      await install({ kind: 'validating', name: 'second' })
      await install({ kind: 'mutating', name: 'first' })
      expect((await create()).status).to.equal(201)
    })

    for (const [policy, code] of [
      ['Fail', 500],
      ['Ignore', 201],
    ] as const) {
      it(`that cannot be reached stops a request if its policy is ${policy}: ${code === 500}`, async () => {
        const clientConfig = { ...url('x'), url: 'https://127.0.0.1:1/x' }
        const name = `down-${policy.toLowerCase()}`
        await install({ kind: 'validating', name, rest: { failurePolicy: policy, clientConfig } })
        const reply = await create()
        expect(reply.status, reply.text).to.equal(code)
        if (code === 201) return
        expectFailure(reply, {
          code,
          reason: 'InternalError',
          message:
            /^Internal error occurred: failed calling webhook "down-fail\.varmor\.test": failed to call webhook: Post "https:\/\/127\.0\.0\.1:1\/x\?timeout=5s": .*127\.0\.0\.1:1/,
        })
      })
    }

    it('that takes too long counts as one that cannot be reached', async () => {
      server.on('/slow', () => undefined)
      await install({ kind: 'validating', name: 'slow', rest: { timeoutSeconds: 1, failurePolicy: 'Fail' } })
      expectFailure(await create(), {
        code: 500,
        reason: 'InternalError',
        message:
          /^Internal error occurred: failed calling webhook "slow\.varmor\.test": failed to call webhook: Post "https:\/\/127\.0\.0\.1:\d+\/slow\?timeout=1s": context deadline exceeded$/,
      })
    })

    it('whose certificate is of an unknown authority counts as one, too', async () => {
      const other = await WebhookServer.start()
      try {
        const clientConfig = { ...url('trust'), caBundle: Buffer.from(other.ca).toString('base64') }
        await install({ kind: 'validating', name: 'trust', rest: { clientConfig, failurePolicy: 'Fail' } })
        const reply = await create()
        expect(reply.status).to.equal(500)
        expect(reply.body.message).to.match(/failed calling webhook "trust\.varmor\.test": .*certificate/)
      } finally {
        await other.close()
      }
    })

    it('is asked for what its object selector matches', async () => {
      server.on('/selected', () => mutation([label('seen')]))
      await install({ kind: 'mutating', name: 'selected', rest: { objectSelector: { matchLabels: { pick: 'me' } } } })
      expect((await create('a-', { pick: 'me' })).body.metadata.labels).to.include({ seen: 'yes' })
      expect((await create('b-', { pick: 'other' })).body.metadata.labels).not.to.have.property('seen')
    })

    it('is asked for namespaces that its selector matches', async () => {
      server.on('/elsewhere', () => mutation([label('seen')]))
      const namespaceSelector = {
        matchExpressions: [
          { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: [scope.namespace, 'kube-system'] },
        ],
      }
      const path = `${registration}/mutatingwebhookconfigurations`
      configurations.push(`${path}/elsewhere-${scope.namespace}`)
      await install({ kind: 'mutating', name: 'here' })
      server.on('/here', () => ({ allowed: true }))
      await scope.api.create(path, {
        metadata: { name: `elsewhere-${scope.namespace}` },
        webhooks: [
          {
            name: 'elsewhere.varmor.test',
            clientConfig: url('elsewhere'),
            rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
            objectSelector: { matchExpressions: [{ key: 'l', operator: 'Exists' }] },
            namespaceSelector,
            admissionReviewVersions: ['v1'],
            sideEffects: 'None',
          },
        ],
      })
      await eventually('the webhook to be known', async () => {
        await scope.api.post('/api/v1/namespaces/default/configmaps?dryRun=All', map('probe-'))
        return server.callsOf('/elsewhere').length > 0
      })
      expect((await create()).body.metadata.labels).to.deep.equal({ l: '' })
    })

    it('is asked for operations and resources of its rules alone', async () => {
      server.on('/rules', () => ({ allowed: false }))
      await install({
        kind: 'validating',
        name: 'rules',
        rule: { operations: ['UPDATE'], resources: ['configmaps', 'secrets'] },
      })
      await scope.api.create(at(), configMap('updated'))
      expect((await scope.api.patch('merge', at('updated'), { data: { a: 'b' } })).status).to.equal(400)
      await scope.api.create(scope.core('serviceaccounts'), { metadata: { name: 'other' } })
      const account = scope.core('serviceaccounts', 'other')
      expect((await scope.api.patch('merge', account, { metadata: { labels: { a: 'b' } } })).status).to.equal(200)
    })

    it('is not asked in a dry run, which then fails, if it has side effects', async () => {
      server.on('/effects', () => ({ allowed: true }))
      await install({ kind: 'validating', name: 'effects', rest: { sideEffects: 'NoneOnDryRun' } })
      expect((await scope.api.post(`${at()}?dryRun=All`, map('dry-'))).status).to.equal(201)
      expect(server.callsOf('/effects').map(({ request }) => request.dryRun)).to.deep.equal([true])
    })

    it('that makes an object invalid does not get it in', async () => {
      server.on('/breaks', () => mutation([{ op: 'add', path: '/data', value: { 'not a key': '' } }]))
      await install({ kind: 'mutating', name: 'breaks' })
      expect((await create()).status).to.equal(422)
    })

    it('whose patch cannot be applied fails the request', async () => {
      server.on('/nonsense', () => mutation([{ op: 'remove', path: '/data/nothing' }]))
      await install({ kind: 'mutating', name: 'nonsense', rest: { failurePolicy: 'Fail' } })
      const reply = await create()
      expect(reply.status).to.equal(500)
      expect(reply.body.message).to.match(/^Internal error occurred: /)
    })

    it('that answers for another request is not believed', async () => {
      server.on('/uid', () => ({ allowed: true, uid: 'other' }))
      await install({ kind: 'validating', name: 'uid', rest: { failurePolicy: 'Fail' } })
      const reply = await create()
      expect(reply.status).to.equal(500)
      expect(reply.body.message).to.match(/^Internal error occurred: failed calling webhook "uid\.varmor\.test": /)
    })

    for (const [title, rest, message] of [
      ['without side effects named', { sideEffects: undefined }, /webhooks\[0\]\.sideEffects: Required value/],
      [
        'with a URL without TLS',
        { clientConfig: { url: 'http://127.0.0.1/x' } },
        /webhooks\[0\]\.clientConfig\.url: Invalid value: "http": 'https' is the only allowed URL scheme/,
      ],
      [
        'with a timeout above 30 s',
        { timeoutSeconds: 31 },
        /webhooks\[0\]\.timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds/,
      ],
    ] as [string, Json, RegExp][]) {
      it(`cannot be configured ${title}`, async () => {
        const webhook: Json = {
          name: 'refused.varmor.test',
          clientConfig: url('refused'),
          admissionReviewVersions: ['v1'],
          ...{ sideEffects: 'None', ...rest },
        }
        const body = { metadata: { name: 'refused' }, webhooks: [webhook] }
        const reply = await scope.api.post(`${registration}/validatingwebhookconfigurations`, body)
        expectFailure(reply, { code: 422, reason: 'Invalid', message })
      })
    }

    it('gets its defaults', async () => {
      server.on('/defaults', () => ({ allowed: true }))
      await install({ kind: 'mutating', name: 'defaults', rest: { timeoutSeconds: undefined } })
      const { webhooks } = await scope.api.read(configurations.at(-1)!)
      expect(webhooks[1]).to.deep.include({
        timeoutSeconds: 10,
        failurePolicy: 'Fail',
        matchPolicy: 'Equivalent',
        reinvocationPolicy: 'Never',
        objectSelector: {},
      })
      expect(webhooks[1].rules[0].scope).to.equal('*')
    })
  })
}
