import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { Clock } from '../../../base/clock.ts'
import type { KubeObject } from '../kube-object.ts'
import type { UserInfo } from '../request.ts'
import { type JsonObject, listOf, objectOf, textOf } from '../schema/json.ts'
import type { Store } from '../store/store.ts'
import { signJwt, verifyJwt } from './jwt.ts'

export const issuer = 'https://kubernetes.default.svc.cluster.local'
const privateClaim = 'kubernetes.io'

/** An object to whose life a token is bound. */
export interface BoundObject {
  readonly kind: 'Pod' | 'Node' | 'Secret'
  readonly name: string
  readonly uid: string
  /** The node that a bound pod runs on, if it has one. */
  readonly node?: { readonly name: string; readonly uid: string } | undefined
}

export interface TokenRequest {
  readonly account: KubeObject
  readonly audiences: readonly string[]
  /** Seconds. */
  readonly lifetime: number
  readonly bound: BoundObject | undefined
  /** Random, so that no two tokens are alike. */
  readonly id: string
}

export interface VerifiedToken {
  readonly user: UserInfo
  readonly audiences: readonly string[]
}

const storages = { Pod: '/pods', Node: '/nodes', Secret: '/secrets' } as const

/** Issues tokens of service accounts, and says whose a token is for as long as account and bound object are there. */
export class TokenIssuer {
  readonly audiences: readonly string[] = [issuer]
  private readonly store: Store
  private readonly clock: Clock
  private readonly privateKey: KeyObject
  private readonly publicKey: KeyObject
  private readonly keyId: string

  /** @param privateKeyPem an EC P-256 key, so that tokens outlive the process; else a new one is made. */
  constructor(store: Store, clock: Clock, privateKeyPem?: string) {
    this.store = store
    this.clock = clock
    this.privateKey =
      privateKeyPem === undefined
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
        : createPrivateKey(privateKeyPem)
    this.publicKey = createPublicKey(this.privateKey)
    const der = this.publicKey.export({ type: 'spki', format: 'der' })
    this.keyId = createHash('sha256').update(der).digest('base64url')
  }

  get privateKeyPem(): string {
    return this.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  }

  /** The public key as a JWK set, for `/openid/v1/jwks`. */
  keySet(): JsonObject {
    const key = this.publicKey.export({ format: 'jwk' }) as JsonObject
    return { keys: [{ ...key, use: 'sig', kid: this.keyId, alg: 'ES256' }] }
  }

  issue({ account, audiences, lifetime, bound, id }: TokenRequest): string {
    const now = Math.floor(this.clock.now() / 1000)
    const { name, uid = '', namespace = '' } = account.metadata
    const claims: JsonObject = {
      aud: [...audiences],
      exp: now + lifetime,
      iat: now,
      iss: issuer,
      jti: id,
      [privateClaim]: { namespace, ...boundClaims(bound), serviceaccount: { name, uid } },
      nbf: now,
      sub: `system:serviceaccount:${namespace}:${name}`,
    }
    return signJwt(claims, this.privateKey, this.keyId)
  }

  /** Whose a token is, if it is valid now for one of the audiences; undefined otherwise. */
  verify(token: string, audiences: readonly string[] = this.audiences): VerifiedToken | undefined {
    const claims = verifyJwt(token, this.publicKey)
    if (!claims || claims['iss'] !== issuer || !this.isNow(claims)) return undefined
    const shared = listOf(claims['aud'])
      .map(textOf)
      .filter((audience) => audiences.includes(audience))
    const own = objectOf(claims[privateClaim])
    if (shared.length === 0 || !this.isAlive(own)) return undefined
    return { user: userOf(own, textOf(claims['jti'])), audiences: shared }
  }

  private isNow({ exp, nbf }: JsonObject): boolean {
    const now = this.clock.now() / 1000
    return typeof exp === 'number' && now < exp && typeof nbf === 'number' && now >= nbf - 60
  }

  private isAlive(claims: JsonObject): boolean {
    const namespace = textOf(claims['namespace'])
    const account = objectOf(claims['serviceaccount'])
    if (!this.exists('/serviceaccounts', namespace, account)) return false
    return (['Pod', 'Node', 'Secret'] as const).every((kind) => {
      const bound = claims[kind.toLowerCase()]
      // The node of a bound pod is told, not bound to: the pod is.
      if (bound === undefined || (kind === 'Node' && claims['pod'] !== undefined)) return true
      return this.exists(storages[kind], kind === 'Node' ? '' : namespace, objectOf(bound))
    })
  }

  private exists(storage: string, namespace: string, { name, uid }: JsonObject): boolean {
    const found = this.store.get(storage, namespace, textOf(name))
    if (!found || found.metadata.uid !== uid) return false
    // A pod that is being deleted keeps its token for a minute more, as in Kubernetes.
    const { deletionTimestamp } = found.metadata
    return deletionTimestamp === undefined || this.clock.now() < Date.parse(deletionTimestamp) + 60_000
  }
}

function boundClaims(bound: BoundObject | undefined): JsonObject {
  if (!bound) return {}
  const { kind, name, uid, node } = bound
  return { [kind.toLowerCase()]: { name, uid }, ...(node ? { node: { ...node } } : {}) }
}

const extraPrefix = 'authentication.kubernetes.io'

function userOf(claims: JsonObject, id: string): UserInfo {
  const namespace = textOf(claims['namespace'])
  const account = objectOf(claims['serviceaccount'])
  const extra: Record<string, string[]> = { [`${extraPrefix}/credential-id`]: [`JTI=${id}`] }
  for (const kind of ['node', 'pod']) {
    const bound = objectOf(claims[kind])
    if (claims[kind] === undefined) continue
    extra[`${extraPrefix}/${kind}-name`] = [textOf(bound['name'])]
    extra[`${extraPrefix}/${kind}-uid`] = [textOf(bound['uid'])]
  }
  return {
    name: `system:serviceaccount:${namespace}:${textOf(account['name'])}`,
    uid: textOf(account['uid']),
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    extra,
  }
}
