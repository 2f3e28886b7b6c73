import { isDeepStrictEqual } from 'node:util'
import type { WantedContent, WantedProfile } from '../../../actors/loaded-profile/ports.ts'
import { type KernelEnforcer, parseEnforcers } from '../../api/enforcer.ts'
import { type FieldError, formatFieldError } from '../../api/field-error.ts'
import { armorProfileSpec } from '../../api/schema/armor-profile.ts'
import { nodeOf } from '../../api/schema/node.ts'
import type { ArmorProfile, ArmorProfileSpec, Profile } from '../../api/types.ts'
import { validateSchema } from '../../api/validate-schema.ts'
import { whyOutlined } from '../../base/left-out.ts'
import { contentDigest } from '../../enforcer/ports.ts'
import type { CarriedProfile, Contents } from '../../profile/profile-source.ts'
import type { Result } from '../../profile/result.ts'

/**
 * The profile that the node must load for an ArmorProfile, and the source from which it is compiled. An ArmorProfile
 * from an older manager has no source.
 */
export interface DesiredProfile {
  wanted: WantedProfile
  carried?: CarriedProfile
}

const schema = nodeOf(armorProfileSpec)
/** Maximum mistakes that a message names. */
const NAMED = 5

/**
 * @param before the previous result: if the source is unchanged, it is not compiled again, and equal contents keep
 * their digests
 */
export function wantedOf(armorProfile: ArmorProfile, before: DesiredProfile | undefined): DesiredProfile {
  const { metadata, spec, status } = armorProfile
  const { profile, behaviorModeling, source } = spec
  const about = {
    uid: metadata.uid ?? '',
    generation: metadata.generation ?? 0,
    profile: profile.name,
    leaving: metadata.deletionTimestamp !== undefined,
  }
  const conflict = whyOutlined(armorProfile) ?? conflictOf(spec)
  if (conflict !== undefined) return { wanted: { ...about, contents: new Map(), conflict } }
  if (source === undefined) {
    const contents = contentsOf(profile.enforcer, textsOf(profile), before?.wanted.contents)
    return { wanted: { ...about, contents } }
  }
  const { name: profileName, enforcer } = profile
  const addresses = status?.egress
  const carried: CarriedProfile = {
    ...{ profileName, enforcer, recording: behaviorModeling.enable, source },
    ...(addresses !== undefined && { addresses }),
  }
  if (before?.carried === undefined || !isDeepStrictEqual(carried, before.carried))
    return { wanted: { ...about, contents: undefined }, carried }
  const { contents, leftOut, conflict: refusal } = before.wanted
  const known = { ...(leftOut !== undefined && { leftOut }), ...(refusal !== undefined && { conflict: refusal }) }
  return { wanted: { ...about, contents, ...known }, carried: before.carried }
}

/** The desired profile with the result of compiling its source. */
export function compiledOf(
  { wanted, carried }: Required<DesiredProfile>,
  result: Result<Contents>,
): Required<DesiredProfile> {
  if (!result.ok) return { wanted: { ...wanted, contents: new Map(), conflict: notKnown(result.errors) }, carried }
  const contents = contentsOf(carried.enforcer, result.value, undefined)
  const leftOut = result.skipped
    .filter(({ enforcer }) => enforcer !== 'NetworkProxy' && contents.has(enforcer))
    .map(({ enforcer, rule, reason }) => ({ enforcer, rule, reason }))
  return { wanted: { ...wanted, contents, leftOut }, carried }
}

type Compiled = NonNullable<WantedProfile['contents']>

/** Whether the profile was compiled without dropped parts. */
export const isWhole = (contents: WantedProfile['contents']): boolean =>
  contents !== undefined && [...contents.values()].every((one) => one === undefined || one.content !== undefined)

export const lengthOf = (contents: Compiled): number =>
  [...contents.values()].reduce((sum, one) => sum + (one?.content?.length ?? 0), 0)

export const digestsOf = (contents: Compiled): Compiled =>
  new Map(Array.from(contents, ([enforcer, one]) => [enforcer, one && { digest: one.digest }]))

function conflictOf(spec: ArmorProfileSpec): string | undefined {
  const parsed = parseEnforcers(spec.profile.enforcer)
  if (!parsed.ok) return `spec.profile.enforcer: ${JSON.stringify(parsed.rest)} is not an enforcer`
  const unknown = validateSchema(schema, spec, { path: 'spec' }).filter(({ code }) => code === 'UNKNOWN_FIELD')
  return unknown.length === 0 ? undefined : notKnown(unknown)
}

/**
 * Why an ArmorProfile cannot be used. The manager has checked these fields, so an unknown field comes from a newer
 * version.
 */
function notKnown(errors: readonly FieldError[]): string {
  const named = errors.slice(0, NAMED).map(formatFieldError).join('; ')
  const rest = errors.length > NAMED ? `; and ${errors.length - NAMED} more` : ''
  return `this agent does not know fields of the ArmorProfile; run the agent in the manager's version: ${named}${rest}`
}

function contentsOf(enforcer: string, texts: Contents, before: WantedProfile['contents']) {
  const parsed = parseEnforcers(enforcer)
  const contents = new Map<KernelEnforcer, WantedContent | undefined>()
  for (const name of parsed.ok ? parsed.enforcers : []) {
    if (name === 'NetworkProxy') continue
    const [content, known] = [texts[name], before?.get(name)]
    if (content === undefined || content === known?.content) contents.set(name, content === undefined ? content : known)
    else contents.set(name, { content, digest: contentDigest(content) })
  }
  return contents
}

const textsOf = ({ appArmor, bpf, seccomp }: Profile): Contents => ({
  ...(appArmor !== undefined && { AppArmor: appArmor }),
  ...(bpf !== undefined && { BPF: JSON.stringify(bpf) }),
  ...(seccomp !== undefined && { Seccomp: seccomp }),
})
