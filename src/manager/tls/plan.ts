import {
  type Authority,
  type CertificateState,
  isTrusted,
  namesOf,
  readServing,
  type Serving,
  serves,
} from './certificate-state.ts'
import { issueServing, newAuthority } from './issue.ts'

/** All times are in milliseconds. */
export interface CertificatePolicy {
  authorityValidity: number
  /** A new authority is created when the newest authority has this time left. Must be well above `publishDelay`. */
  authorityRenewBefore: number
  /** A new authority is published for this time before it signs, so that all clients trust it by then. */
  publishDelay: number
  servingValidity: number
  servingRenewBefore: number
  /** Certificates are valid from this time before their creation, because some clocks are slow. */
  backdate: number
}

const hour = 3_600_000
const day = 24 * hour

export const defaultCertificatePolicy: CertificatePolicy = {
  authorityValidity: 5 * 365 * day,
  authorityRenewBefore: 365 * day,
  publishDelay: day,
  servingValidity: 90 * day,
  servingRenewBefore: 30 * day,
  backdate: hour,
}

/** @throws {RangeError} if the times contradict each other */
export function checkCertificatePolicy(policy: CertificatePolicy): CertificatePolicy {
  const { authorityValidity, authorityRenewBefore, publishDelay, servingValidity, servingRenewBefore } = policy
  if (!(authorityRenewBefore < authorityValidity && servingRenewBefore < servingValidity))
    throw new RangeError(
      'The validity of a certificate must be longer than the time before its end at which it is renewed',
    )
  if (publishDelay + servingRenewBefore >= authorityRenewBefore)
    throw new RangeError(
      'authorityRenewBefore must be more than publishDelay and servingRenewBefore together, so that the old authority lasts until the new one signs',
    )
  return policy
}

export interface Circumstances {
  now: number
  /** Names and addresses by which clients reach the server. */
  names: readonly string[]
  /** Whether the bundle of `state`, including the newest authority, is published to all clients. */
  isPublished: boolean
}

/**
 * The state that is needed now: the same state, unless a renewal is due. A new authority is published well before it
 * signs, and an old authority stays published until it expires, so that clients always trust the served certificate.
 */
export async function nextState(
  state: CertificateState,
  { now, names, isPublished }: Circumstances,
  policy: CertificatePolicy,
): Promise<CertificateState> {
  const living = state.authorities.filter(({ notAfter }) => notAfter > now)
  // Skip authorities that are not valid yet: a manager with a fast clock may have created them.
  const newest = living.find(({ notBefore }) => notBefore <= now)
  const isDue = newest === undefined || newest.notAfter - now <= policy.authorityRenewBefore
  let authorities = isDue ? [await makeAuthority(now, policy), ...living] : living
  const { serving } = state
  const needs = serving === undefined ? 'none' : fault(serving, authorities, names, now, policy)
  if (needs === undefined && !isDue && living.length === state.authorities.length) {
    return withoutOldKeys(state, signerOf(authorities, now, isPublished, policy))
  }
  let next = serving
  if (needs !== undefined) {
    let signer = signerOf(authorities, now, isPublished, policy)
    if (signer === undefined) {
      // The Secret has only authorities without keys, from another issuer: they stay published, and a new authority
      // signs.
      signer = await makeAuthority(now, policy)
      authorities = [signer, ...authorities]
    }
    // Keep the certificate's names, which other managers may need. The next regular renewal drops unneeded names.
    const kept = needs === 'names' ? namesOf(serving!) : []
    next = await makeServing(signer, [...new Set([...names, ...kept])], now, policy)
  }
  return withoutOldKeys({ authorities, serving: next }, signerOf(authorities, now, isPublished, policy))
}

/** The fault of a serving certificate, if any. */
function fault(
  serving: Serving,
  authorities: readonly Authority[],
  names: readonly string[],
  now: number,
  policy: CertificatePolicy,
): 'time' | 'trust' | 'names' | undefined {
  if (!isTrusted(serving, authorities)) return 'trust'
  if (serving.notBefore > now || serving.notAfter - now <= policy.servingRenewBefore) return 'time'
  return names.every((name) => serves(serving, name)) ? undefined : 'names'
}

/**
 * The authority that signs: the newest if it was published long enough, otherwise the previous authority while it is
 * valid.
 */
function signerOf(
  authorities: readonly Authority[],
  now: number,
  isPublished: boolean,
  { publishDelay, backdate, servingRenewBefore }: CertificatePolicy,
): Authority | undefined {
  const able = authorities.filter(({ key, notBefore }) => key !== undefined && notBefore <= now)
  const [newest, before] = able
  if (newest === undefined || before === undefined) return newest
  const isKnown = isPublished && now - (newest.notBefore + backdate) >= publishDelay
  // A certificate from an authority that expires soon would have to be renewed at once.
  return isKnown || before.notAfter - now <= servingRenewBefore ? newest : before
}

function withoutOldKeys(state: CertificateState, signer: Authority | undefined): CertificateState {
  const at = signer === undefined ? -1 : state.authorities.indexOf(signer)
  if (at < 0 || !state.authorities.slice(at + 1).some(({ key }) => key !== undefined)) return state
  const authorities = state.authorities.map((each, i) => (i > at ? { ...each, key: undefined } : each))
  return { ...state, authorities }
}

const wholeSeconds = (time: number): number => Math.floor(time / 1000) * 1000

async function makeAuthority(now: number, policy: CertificatePolicy): Promise<Authority> {
  const notBefore = wholeSeconds(now - policy.backdate)
  const notAfter = wholeSeconds(now + policy.authorityValidity)
  return { ...(await newAuthority({ notBefore, notAfter })), notBefore, notAfter }
}

async function makeServing(
  { certificate, key = '', notAfter: end }: Authority,
  names: readonly string[],
  now: number,
  policy: CertificatePolicy,
): Promise<Serving> {
  const validity = {
    notBefore: wholeSeconds(now - policy.backdate),
    notAfter: Math.min(wholeSeconds(now + policy.servingValidity), end),
  }
  const pair = await issueServing({ certificate, key }, names, validity)
  return readServing(pair.certificate, pair.key)!
}
