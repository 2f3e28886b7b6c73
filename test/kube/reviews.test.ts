import { expect } from 'chai'
import { mayAccess } from '../../src/kube/access-review.ts'
import { allow, deny, parseAdmissionReview } from '../../src/kube/admission.ts'
import { unlimited } from '../../src/kube/limiter.ts'
import { parseTokenReview, reviewToken, type verdictOf } from '../../src/kube/token-review.ts'
import { testClient } from './harness.ts'
import { json, ScriptedServer } from './scripted-server.ts'

const admission = (change: (request: Record<string, unknown>) => void = () => undefined, more: object = {}): string => {
  const request: Record<string, unknown> = {
    uid: '705ab4f5',
    kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
    resource: { group: 'apps', version: 'v1', resource: 'deployments' },
    name: 'web',
    namespace: 'team',
    operation: 'CREATE',
    userInfo: { username: 'kubernetes-admin', groups: ['system:authenticated'] },
    object: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } },
    dryRun: false,
  }
  change(request)
  return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request, ...more })
}

describe('kube admission review', () => {
  it('gives the request, with null where an object is left out', () => {
    const parsed = parseAdmissionReview(admission())
    if (!('request' in parsed)) throw new Error(JSON.stringify(parsed.errors))
    expect(parsed.request).to.deep.include({ uid: '705ab4f5', operation: 'CREATE', oldObject: null })
  })

  const rows: { title: string; body: string; errors: string[] }[] = [
    { title: 'no JSON', body: '{', errors: ['UNPARSABLE '] },
    { title: 'no object', body: '[]', errors: ['UNPARSABLE '] },
    {
      title: 'another version',
      body: admission(undefined, { apiVersion: 'admission.k8s.io/v1beta1' }),
      errors: ['NOT_ALLOWED apiVersion'],
    },
    { title: 'another kind', body: admission(undefined, { kind: 'Status' }), errors: ['NOT_ALLOWED kind'] },
    { title: 'no request', body: admission(undefined, { request: null }), errors: ['WRONG_TYPE request'] },
    {
      title: 'an answer instead',
      body: admission(undefined, { request: undefined, response: {} }),
      errors: ['REQUIRED request'],
    },
    {
      title: 'everything wrong at once',
      body: admission((request) => {
        delete request['uid']
        request['operation'] = 'READ'
        request['object'] = 'text'
        delete request['userInfo']
      }),
      errors: [
        'REQUIRED request.uid',
        'NOT_ALLOWED request.operation',
        'REQUIRED request.userInfo',
        'WRONG_TYPE request.object',
      ],
    },
  ]
  for (const { title, body, errors } of rows)
    it(`says what is wrong: ${title}`, () => {
      const parsed = parseAdmissionReview(body)
      expect('errors' in parsed && parsed.errors.map(({ code, path }) => `${code} ${path}`)).to.deep.equal(errors)
    })

  it('answers with a patch, with warnings, or with a refusal', () => {
    const operations = [{ op: 'add', path: '/metadata/labels', value: {} }]
    const { response } = allow('1', operations, ['old field'])
    expect(JSON.parse(Buffer.from(response.patch ?? '', 'base64').toString())).to.deep.equal(operations)
    expect(response).to.deep.include({ uid: '1', allowed: true, patchType: 'JSONPatch', warnings: ['old field'] })
    expect(allow('2')).to.deep.equal({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: '2', allowed: true },
    })
    expect(deny('3', 'no').response).to.deep.equal({
      uid: '3',
      allowed: false,
      status: { code: 422, reason: 'Invalid', message: 'no' },
    })
  })
})

describe('kube access review', () => {
  for (const status of [{ allowed: true }, { allowed: false }, undefined])
    it(`is asked after all that is more urgent, and says ${JSON.stringify(status)}`, async () => {
      const server = await ScriptedServer.start(json({ kind: 'SubjectAccessReview', spec: {}, status }))
      const classes: string[] = []
      const turn: typeof unlimited.turn = (of, signal) => {
        classes.push(of)
        return unlimited.turn(of, signal)
      }
      const { client, connection } = testClient(server.url, { limiter: { ...unlimited, turn } })
      const access = {
        verb: 'get',
        group: 'g',
        version: 'v1',
        resource: 'things',
        namespace: 'team',
        name: 'a',
      } as const
      const user = { username: 'jane', groups: ['team'] }
      expect(await mayAccess(client, user, access)).to.equal(status?.allowed === true)
      const [seen] = server.requests('POST /apis/authorization.k8s.io/v1/subjectaccessreviews')
      const { username, ...rest } = user
      expect(JSON.parse(seen!.body).spec).to.deep.equal({ user: username, ...rest, resourceAttributes: access })
      expect(classes).to.deep.equal(['stranger'])
      await connection.close()
      await server.stop()
    })
})

describe('kube token review', () => {
  const user = { username: 'system:serviceaccount:varmor:agent', uid: 'u' }
  const rows: { title: string; status: Parameters<typeof verdictOf>[0]; audiences: string[]; verdict: object }[] = [
    { title: 'a valid token', status: { authenticated: true, user }, audiences: [], verdict: { user } },
    {
      title: 'a token for us',
      status: { authenticated: true, user, audiences: ['varmor'] },
      audiences: ['varmor'],
      verdict: { user },
    },
    {
      title: 'a token for others',
      status: { authenticated: true, user, audiences: [] },
      audiences: ['varmor'],
      verdict: { refused: 'the token does not have any of the audiences varmor' },
    },
    {
      title: 'a server that knows no audiences',
      status: { authenticated: true, user },
      audiences: ['varmor'],
      verdict: { refused: 'the token does not have any of the audiences varmor' },
    },
    {
      title: 'a token that is over',
      status: { authenticated: false, error: 'token expired' },
      audiences: [],
      verdict: { refused: 'token expired' },
    },
    { title: 'no answer inside', status: undefined, audiences: [], verdict: { refused: 'the token is not valid' } },
    {
      title: 'a user without a name',
      status: { authenticated: true, user: {} },
      audiences: [],
      verdict: { refused: 'the server says that the token is valid, but does not name its user' },
    },
  ]
  for (const { title, status, audiences, verdict } of rows)
    it(title, async () => {
      const server = await ScriptedServer.start(
        json({ kind: 'TokenReview', spec: {}, ...(status === undefined ? {} : { status }) }),
      )
      const { client, connection } = testClient(server.url)
      expect(await reviewToken(client, 'secret', audiences)).to.deep.equal(verdict)
      const [seen] = server.requests('POST /apis/authentication.k8s.io/v1/tokenreviews')
      expect(JSON.parse(seen!.body).spec).to.deep.equal({
        token: 'secret',
        ...(audiences.length > 0 ? { audiences } : {}),
      })
      await connection.close()
      await server.stop()
    })

  it('says what is wrong with the body of a review', () => {
    const body = (spec: unknown) =>
      JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec })
    const errors = (spec: unknown) => {
      const parsed = parseTokenReview(body(spec))
      return 'errors' in parsed ? parsed.errors.map(({ code, path }) => `${code} ${path}`) : parsed.review.spec
    }
    expect(errors({ token: 't' })).to.deep.equal({ token: 't' })
    expect(errors(undefined)).to.deep.equal(['REQUIRED spec'])
    expect(errors({ audiences: 'a' })).to.deep.equal(['REQUIRED spec.token', 'WRONG_TYPE spec.audiences'])
  })
})
