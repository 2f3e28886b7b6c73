import type { UserInfo } from '../request.ts'
import type { TokenIssuer, VerifiedToken } from './token-issuer.ts'

/** What a client certificate says of its owner. */
export interface CertificateUser {
  commonName: string
  organizations: readonly string[]
  /** Of the whole certificate, in hex: it tells which one was used. */
  sha256: string
}

/** Finds out who sends a request, by client certificate or bearer token. */
export class Authenticator {
  private readonly tokens: TokenIssuer
  private readonly staticTokens: ReadonlyMap<string, UserInfo>

  constructor(tokens: TokenIssuer, staticTokens: ReadonlyMap<string, UserInfo> = new Map()) {
    this.tokens = tokens
    this.staticTokens = staticTokens
  }

  /** Whose a bearer token is; undefined for one that is not valid (for these audiences). */
  token(token: string, audiences?: readonly string[]): VerifiedToken | undefined {
    const user = this.staticTokens.get(token)
    if (user) return { user: withGroup(user, 'system:authenticated'), audiences: audiences ?? this.tokens.audiences }
    return this.tokens.verify(token, audiences)
  }

  /**
   * The user of a request; undefined for credentials that are not valid.
   * @param certificate subject of a client certificate that our CA has signed
   */
  request(
    headers: Readonly<Record<string, string | undefined>>,
    certificate: CertificateUser | undefined,
  ): UserInfo | undefined {
    if (certificate)
      return withGroup(
        {
          name: certificate.commonName,
          groups: certificate.organizations,
          extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${certificate.sha256}`] },
        },
        'system:authenticated',
      )
    const { authorization } = headers
    if (authorization === undefined) return { name: 'system:anonymous', groups: ['system:unauthenticated'] }
    const bearer = /^bearer +(\S+)$/i.exec(authorization)?.[1]
    return bearer === undefined ? undefined : this.token(bearer)?.user
  }
}

function withGroup(user: UserInfo, group: string): UserInfo {
  return user.groups.includes(group) ? user : { ...user, groups: [...user.groups, group] }
}
