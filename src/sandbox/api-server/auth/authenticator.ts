import type { UserInfo } from '../request.ts'
import type { TokenIssuer, VerifiedToken } from './token-issuer.ts'

/** What a client certificate says of its owner. */
export interface CertificateUser {
  commonName: string
  organizations: readonly string[]
}

/** Finds out who sends a request, by client certificate or bearer token. */
export class Authenticator {
  private readonly tokens: TokenIssuer

  constructor(tokens: TokenIssuer) {
    this.tokens = tokens
  }

  /** Whose a bearer token is; undefined for one that is not valid (for these audiences). */
  token(token: string, audiences?: readonly string[]): VerifiedToken | undefined {
    return this.tokens.verify(token, audiences)
  }

  /**
   * The user of a request; undefined for one without credentials that are valid.
   * @param certificate subject of a client certificate that our CA has signed
   */
  request(authorization: string | undefined, certificate: CertificateUser | undefined): UserInfo | undefined {
    if (certificate)
      return { name: certificate.commonName, groups: [...certificate.organizations, 'system:authenticated'] }
    const bearer = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
    return bearer === undefined ? undefined : this.token(bearer)?.user
  }
}
