import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import type { Clock } from '../../../base/clock.ts'
import type { KubeObject } from '../kube-object.ts'
import type { UserInfo } from '../request.ts'
import { type JsonObject, type JsonValue, listOf, objectOf, textOf } from '../schema/json.ts'
import type { Store } from '../store/store.ts'

const issuer = 'https://kubernetes.default.svc.cluster.local'
const privateClaim = 'kubernetes.io'
const extraPrefix = 'authentication.kubernetes.io'

/** An object whose deletion ends the validity of a token. */
export interface BoundObject {
  readonly kind: 'Pod' | 'Node'
  readonly name: string
  readonly uid: string
  /** The node of a bound pod, if it has one. */
  readonly node?: { readonly name: string; readonly uid: string } | undefined
}

export interface TokenRequest {
  readonly account: KubeObject
  readonly audiences: readonly string[]
  /** Lifetime in seconds. */
  readonly lifetime: number
  readonly bound: BoundObject | undefined
  /** A random id, so that no two tokens are equal. */
  readonly id: string
}

export interface VerifiedToken {
  readonly user: UserInfo
  readonly audiences: readonly string[]
}

const part = (value: JsonObject): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Issues tokens of service accounts (JWT, ES256), and verifies them while the account and the bound object exist. */
export class TokenIssuer {
  readonly audiences: readonly string[] = [issuer]
  private readonly store: Store
  private readonly clock: Clock
  private readonly privateKey: KeyObject
  private readonly publicKey: KeyObject
  private readonly header: string

  /** @param privateKeyPem an EC P-256 key, with which tokens stay valid after a restart; default: a new key */
  constructor(store: Store, clock: Clock, privateKeyPem?: string) {
    this.store = store
    this.clock = clock
    this.privateKey =
      privateKeyPem === undefined
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
        : createPrivateKey(privateKeyPem)
    this.publicKey = createPublicKey(this.privateKey)
    const der = this.publicKey.export({ type: 'spki', format: 'der' })
    this.header = part({ alg: 'ES256', kid: createHash('sha256').update(der).digest('base64url') })
  }

  get privateKeyPem(): string {
    return this.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  }

  issue({ account, audiences, lifetime, bound, id }: TokenRequest): string {
    const now = Math.floor(this.clock.now() / 1000)
    const { name, uid = '', namespace = '' } = account.metadata
    const content = `${this.header}.${part({
      aud: [...audiences],
      exp: now + lifetime,
      iat: now,
      iss: issuer,
      jti: id,
      [privateClaim]: { namespace, ...boundClaims(bound), serviceaccount: { name, uid } },
      nbf: now,
      sub: `system:serviceaccount:${namespace}:${name}`,
    })}`
    const key = { key: this.privateKey, dsaEncoding: 'ieee-p1363' } as const
    return `${content}.${sign('sha256', Buffer.from(content), key).toString('base64url')}`
  }

  /** The token's user, if it is valid now for one of the audiences; undefined otherwise. */
  verify(token: string, audiences: readonly string[] = this.audiences): VerifiedToken | undefined {
    const [header, payload = '', signature = '', more] = token.split('.')
    // All tokens of this issuer have exactly this header, and JSON as their payload.
    if (header !== this.header || more !== undefined) return undefined
    const key = { key: this.publicKey, dsaEncoding: 'ieee-p1363' } as const
    if (!verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url')))
      return undefined
    const { aud, exp, jti, ...claims } = objectOf(JSON.parse(Buffer.from(payload, 'base64url').toString()))
    const shared = listOf(aud)
      .map(textOf)
      .filter((audience) => audiences.includes(audience))
    const own = objectOf(claims[privateClaim])
    if (shared.length === 0 || this.clock.now() / 1000 >= Number(exp) || !this.isAlive(own)) return undefined
    return { user: userOf(own, textOf(jti)), audiences: shared }
  }

  private isAlive({ namespace, serviceaccount, pod, node }: JsonObject): boolean {
    const home = textOf(namespace)
    if (!this.exists('/serviceaccounts', home, serviceaccount)) return false
    // A token of a pod is bound to the pod; it only mentions the pod's node.
    if (pod !== undefined) return this.exists('/pods', home, pod)
    return node === undefined || this.exists('/nodes', '', node)
  }

  private exists(storage: string, namespace: string, reference: JsonValue | undefined): boolean {
    const { name, uid } = objectOf(reference)
    return this.store.get(storage, namespace, textOf(name))?.metadata.uid === uid
  }
}

function boundClaims(bound: BoundObject | undefined): JsonObject {
  if (!bound) return {}
  const { kind, name, uid, node } = bound
  return { [kind.toLowerCase()]: { name, uid }, ...(node ? { node: { ...node } } : {}) }
}

function userOf(claims: JsonObject, id: string): UserInfo {
  const namespace = textOf(claims['namespace'])
  const { name, uid } = objectOf(claims['serviceaccount'])
  const extra: Record<string, string[]> = { [`${extraPrefix}/credential-id`]: [`JTI=${id}`] }
  for (const kind of ['node', 'pod'].filter((one) => claims[one] !== undefined)) {
    const bound = objectOf(claims[kind])
    extra[`${extraPrefix}/${kind}-name`] = [textOf(bound['name'])]
    extra[`${extraPrefix}/${kind}-uid`] = [textOf(bound['uid'])]
  }
  return {
    name: `system:serviceaccount:${namespace}:${textOf(name)}`,
    uid: textOf(uid),
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    extra,
  }
}
