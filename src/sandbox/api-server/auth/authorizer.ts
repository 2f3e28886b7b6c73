import type { UserInfo } from '../request.ts'

/** What somebody wants to do, as the authorizer is asked. */
export interface AccessAttributes {
  readonly user: UserInfo
  readonly verb: string
  readonly isResource: boolean
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  /** Of what is no resource. */
  readonly path: string
}

export interface Decision {
  readonly allowed: boolean
  /** Why: which binding allows it, or what went wrong on the way. May be empty. */
  readonly reason: string
}

export interface PolicyRule {
  readonly verbs: readonly string[]
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames: readonly string[]
  readonly nonResourceURLs: readonly string[]
}

export interface Authorizer {
  authorize(attributes: AccessAttributes): Decision
  /** The rules that a user has in a namespace, as far as they are known, and what could not be read. */
  rulesFor(user: UserInfo, namespace: string): { rules: PolicyRule[]; errors: string[] }
}
