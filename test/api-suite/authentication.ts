import { expect } from 'chai'
import { eventually } from '../cluster/wait.ts'
import { Api, type Json } from './api.ts'
import { expectFailure } from './expect-failure.ts'
import { useScope } from './scope.ts'
import type { Target } from './target.ts'

const reviews = '/apis/authentication.k8s.io/v1'

/** The identity of a caller: by certificate, by token, or anonymous. */
export function authentication(target: Target): void {
  describe('authentication', () => {
    const scope = useScope(target)
    let anonymous: Api
    let token: string
    let uid: string
    const user = (): string => `system:serviceaccount:${scope.namespace}:bot`
    const ask = (spec: Json = {}): Promise<Json> =>
      scope.api.post(`${scope.core('serviceaccounts', 'bot')}/token`, { spec })
    const review = async (spec: Json): Promise<Json> =>
      (await scope.api.create(`${reviews}/tokenreviews`, { spec })).status

    before(async () => {
      anonymous = Api.anonymous(scope.target)
      scope.atEnd(() => anonymous.close())
      uid = (await scope.api.create(scope.core('serviceaccounts'), { metadata: { name: 'bot' } })).metadata.uid
      token = (await ask()).body.status.token
    })

    it('a ServiceAccount gets a token for an hour, unless another time is asked for', async () => {
      const reply = await ask()
      expect(reply.status, reply.text).to.equal(201)
      expect(reply.body).to.include({ kind: 'TokenRequest', apiVersion: 'authentication.k8s.io/v1' })
      expect(reply.body.spec.expirationSeconds).to.equal(3600)
      const short = await ask({ expirationSeconds: 600 })
      expect(short.body.spec.expirationSeconds).to.equal(600)
      const lasts =
        Date.parse(short.body.status.expirationTimestamp) -
        Date.parse(short.body.metadata.creationTimestamp ?? new Date().toISOString())
      expect(lasts).to.be.within(590_000, 610_000)
    })

    it('the token is a signed JWT that names the account', async () => {
      const [header, payload, signature] = token.split('.')
      const part = (text: string): Json => JSON.parse(Buffer.from(text, 'base64url').toString())
      expect(part(header!)).to.have.all.keys('alg', 'kid')
      const claims = part(payload!)
      expect(claims.sub).to.equal(user())
      expect(claims.exp - claims.iat).to.equal(3600)
      expect(claims['kubernetes.io']).to.deep.equal({
        namespace: scope.namespace,
        serviceaccount: { name: 'bot', uid },
      })
      expect(signature).not.to.equal('')
    })

    it('less than ten minutes cannot be had', async () => {
      expectFailure(await ask({ expirationSeconds: 60 }), {
        code: 422,
        reason: 'Invalid',
        message:
          'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes',
      })
    })

    it('an account that is not there has no token', async () => {
      expectFailure(await scope.api.post(`${scope.core('serviceaccounts', 'nobody')}/token`, { spec: {} }), {
        code: 404,
        reason: 'NotFound',
        message: 'serviceaccounts "nobody" not found',
      })
    })

    it('a review tells whose a token is', async () => {
      const status = await review({ token })
      expect(status.authenticated).to.equal(true)
      expect(status.user).to.deep.include({
        username: user(),
        uid,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${scope.namespace}`, 'system:authenticated'],
      })
      expect(status.audiences).to.have.length.at.least(1)
    })

    it('a review of nonsense says that it is', async () => {
      const status = await review({ token: 'nonsense' })
      expect(status).not.to.have.property('authenticated')
      expect(status.user).to.deep.equal({})
      expect(status.error).to.match(/invalid bearer token/)
    })

    it('a token is for its audience alone', async () => {
      const other = (await ask({ audiences: ['other'] })).body.status.token
      expect((await review({ token: other, audiences: ['other'] })).audiences).to.deep.equal(['other'])
      expect(await review({ token: other })).not.to.have.property('authenticated')
      expect((await anonymous.get(scope.core('pods'), { token: other })).status).to.equal(401)
    })

    it('a token ends with its account', async () => {
      await scope.api.create(scope.core('serviceaccounts'), { metadata: { name: 'leaver' } })
      const { body } = await scope.api.post(`${scope.core('serviceaccounts', 'leaver')}/token`, { spec: {} })
      const leaver = body.status.token
      expect((await review({ token: leaver })).authenticated).to.equal(true)
      await scope.api.delete(scope.core('serviceaccounts', 'leaver'))
      // A server may cache the token's review for some seconds.
      await eventually('the token to be unknown', async () => !(await review({ token: leaver })).authenticated)
    })

    for (const [title, header] of [
      ['nonsense', 'Bearer nonsense'],
      ['a JWT of somebody else', 'Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl'],
    ] as const) {
      it(`a token that is ${title} is refused`, async () => {
        const reply = await anonymous.get(scope.core('pods'), { headers: { authorization: header } })
        expectFailure(reply, { code: 401, reason: 'Unauthorized', message: 'Unauthorized' })
      })
    }
  })
}
