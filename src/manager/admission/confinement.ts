import { optOut } from '../../api/annotations.ts'
import type { Enforcer } from '../../api/enforcer.ts'
import type { IndexedPolicy } from './indexed-policy.ts'
import type { ContainerPart, ProfileField, SecurityContext } from './pod-parts.ts'
import {
  chosenDefault,
  isChosenDefault,
  isSwitchedOff,
  keys,
  localhost,
  profileOf,
  profileOfField,
  switchedOff,
} from './profile-annotations.ts'

export interface ConfinementOptions {
  /** Whether the API server supports `securityContext.appArmorProfile` (Kubernetes 1.30). */
  appArmorField: boolean
  /**
   * Whether containers that the policy confines with BPF run without an AppArmor profile, unless the policy also names
   * AppArmor. True only if every node has loaded the BPF profile; otherwise a container could run unconfined.
   */
  bpfExclusive: (policy: IndexedPolicy) => boolean
}

/** Changes of a container's settings. The value `undefined` removes a setting. */
export interface ContainerChanges {
  annotations: Map<string, string | undefined>
  securityContext: Map<string, ProfileField | undefined>
}

export interface ContainerSituation {
  container: ContainerPart
  pod: SecurityContext
  annotations: Readonly<Record<string, string>>
  /** The policy that must confine this container, if any. */
  policy: IndexedPolicy | undefined
  /** Whether this webhook may remove a vArmor profile that the pod names, if `policy` does not want the profile. */
  ownsAnnotation: (profile: string) => boolean
  /**
   * The policy of a profile that the container names, if that policy has priority over `policy` for its own enforcers.
   */
  wins: (profile: string) => IndexedPolicy | undefined
}

/**
 * The changes that give one container its policy's profile, and remove the settings of an earlier policy. A container
 * that an annotation or a field marks as `unconfined` gets no profile. Applying the result again changes nothing.
 */
export function confine(situation: ContainerSituation, options: ConfinementOptions): ContainerChanges {
  const changes: ContainerChanges = { annotations: new Map(), securityContext: new Map() }
  const annotation = (key: string): string | undefined =>
    Object.hasOwn(situation.annotations, key) ? situation.annotations[key] : undefined
  const { container, pod, policy, ownsAnnotation: isStale, wins } = situation
  const run: Run = { container, pod, policy, ownsAnnotation: isStale, wins, options, changes, annotation }
  const bpf = confineBpf({ ...run, policy: policyFor('BPF', run) })
  const appArmor = { ...run, policy: policyFor('AppArmor', run) }
  if (options.appArmorField) confineAppArmorByField(appArmor, bpf)
  else confineAppArmorByAnnotation(appArmor, bpf)
  confineSeccomp({ ...run, policy: policyFor('Seccomp', run) })
  return changes
}

/**
 * The policy that applies to the container for this enforcer: the policy of a named profile if it has priority, or else
 * the policy that selects the container.
 */
function policyFor(enforcer: Enforcer, { annotation, container, policy, wins }: Run): IndexedPolicy | undefined {
  const { name, appArmorProfile, seccompProfile } = container
  const appArmor = annotation(keys.appArmor(name))
  const named: Partial<Record<Enforcer, (string | undefined)[]>> = {
    BPF: [profileOf(annotation(keys.bpf(name)))],
    AppArmor: [
      profileOfField(appArmorProfile),
      profileOf(annotation(keys.kubernetesAppArmor(name))),
      profileOf(appArmor),
    ],
    Seccomp: [profileOfField(seccompProfile), profileOf(annotation(keys.seccomp(name)))],
  }
  for (const profile of named[enforcer] ?? []) {
    const winner = profile === undefined ? undefined : wins(profile)
    if (winner?.enforcers.includes(enforcer)) return winner
    // The BPF profile of the winning policy has turned AppArmor off.
    const switchesOff = isSwitchedOff(appArmor) && profile === profileOf(appArmor)
    if (enforcer === 'AppArmor' && switchesOff && winner?.enforcers.includes('BPF')) return winner
  }
  return policy
}

interface Run extends Omit<ContainerSituation, 'annotations'> {
  options: ConfinementOptions
  changes: ContainerChanges
  annotation(key: string): string | undefined
}

/** Sets an annotation; undefined removes it. Does nothing if the annotation has this value already. */
function annotate({ annotation, changes }: Run, key: string, value: string | undefined): void {
  if (annotation(key) !== value) changes.annotations.set(key, value)
}

type FieldName = 'appArmorProfile' | 'seccompProfile'

function setField({ container, changes }: Run, name: FieldName, value: ProfileField | undefined): void {
  const now = container[name]
  if (now?.type !== value?.type || now?.localhostProfile !== value?.localhostProfile)
    changes.securityContext.set(name, value)
}

const localField = (profile: string): ProfileField => ({ type: 'Localhost', localhostProfile: profile })

/** Whether the profile in this annotation must be removed. */
const isLeftover = (run: Run, annotation: string | undefined): boolean => {
  const profile = profileOf(annotation)
  return profile !== undefined && run.ownsAnnotation(profile)
}

/** Sets the BPF annotation. @returns the policy whose BPF profile the container gets */
function confineBpf(run: Run): IndexedPolicy | undefined {
  const key = keys.bpf(run.container.name)
  const annotation = run.annotation(key)
  if (run.policy?.enforcers.includes('BPF') && annotation !== optOut) {
    annotate(run, key, localhost(run.policy.profile))
    return run.policy
  }
  if (isLeftover(run, annotation)) annotate(run, key, undefined)
  return undefined
}

function confineAppArmorByField(run: Run, bpf: IndexedPolicy | undefined): void {
  const { container, pod, policy, options } = run
  const key = keys.appArmor(container.name)
  const oldKey = keys.kubernetesAppArmor(container.name)
  const annotation = run.annotation(key)
  const switchedOffByUs = isSwitchedOff(annotation)
  const field = container.appArmorProfile
  const isUnconfined = field?.type === 'Unconfined'
  // The field is not the user's choice if we have set it.
  const setByUser = !switchedOffByUs && (isUnconfined || run.annotation(oldKey) === optOut)
  const optedOut = annotation === optOut || setByUser || pod.appArmorProfile?.type === 'Unconfined'

  if (policy?.enforcers.includes('AppArmor') && !optedOut) {
    annotate(run, key, localhost(policy.profile))
    setField(run, 'appArmorProfile', localField(policy.profile))
    agreeWithField(run, oldKey, localhost(policy.profile))
    return
  }
  if (policy !== undefined && bpf === policy && !setByUser && annotation !== optOut && options.bpfExclusive(policy)) {
    annotate(run, key, switchedOff(policy.profile))
    setField(run, 'appArmorProfile', { type: 'Unconfined' })
    agreeWithField(run, oldKey, optOut)
    return
  }
  // We set this annotation before the API server supported the field.
  if (isLeftover(run, run.annotation(oldKey))) annotate(run, oldKey, undefined)
  dropOptedOut(run, 'appArmorProfile', annotation)
  if (isLeftover(run, annotation)) {
    annotate(run, key, undefined)
    if (switchedOffByUs && run.annotation(oldKey) === optOut) annotate(run, oldKey, undefined)
    const profile = profileOf(annotation)
    const isOurs = switchedOffByUs ? isUnconfined : field?.type === 'Localhost' && field.localhostProfile === profile
    if (isOurs) setField(run, 'appArmorProfile', undefined)
  }
}

/** To opt a confined container out, the user writes only the annotation. We had set the field, so we remove it. */
function dropOptedOut(run: Run, name: FieldName, annotation: string | undefined): void {
  const profile = profileOfField(run.container[name])
  if (annotation === optOut && profile !== undefined && run.ownsAnnotation(profile)) setField(run, name, undefined)
}

/**
 * The API server refuses a pod if its annotation and its field name different profiles. It adds a missing annotation
 * itself.
 */
function agreeWithField(run: Run, key: string, value: string): void {
  if (run.annotation(key) !== undefined) annotate(run, key, value)
}

function confineAppArmorByAnnotation(run: Run, bpf: IndexedPolicy | undefined): void {
  const { container, policy, options } = run
  const key = keys.kubernetesAppArmor(container.name)
  const ownKey = keys.appArmor(container.name)
  const value = run.annotation(key)
  const annotation = run.annotation(ownKey)
  const switchedOffByUs = isSwitchedOff(annotation)
  const optedOut = annotation === optOut || (value === optOut && !switchedOffByUs)

  if (policy?.enforcers.includes('AppArmor') && !optedOut) {
    annotate(run, key, localhost(policy.profile))
    if (switchedOffByUs) annotate(run, ownKey, undefined)
    return
  }
  if (policy !== undefined && bpf === policy && !optedOut && options.bpfExclusive(policy)) {
    annotate(run, ownKey, switchedOff(policy.profile))
    annotate(run, key, optOut)
    return
  }
  if (switchedOffByUs && isLeftover(run, annotation)) {
    annotate(run, ownKey, undefined)
    if (value === optOut) annotate(run, key, undefined)
  }
  if (isLeftover(run, value)) annotate(run, key, undefined)
}

function confineSeccomp(run: Run): void {
  const { container, pod, policy } = run
  const key = keys.seccomp(container.name)
  const annotation = run.annotation(key)
  const field = container.seccompProfile
  const optedOut =
    annotation === optOut ||
    container.privileged ||
    field?.type === 'Unconfined' ||
    pod.seccompProfile?.type === 'Unconfined'

  if (policy?.enforcers.includes('Seccomp') && !optedOut) {
    if (policy.mode !== 'RuntimeDefault') {
      annotate(run, key, localhost(policy.profile))
      setField(run, 'seccompProfile', localField(policy.profile))
    } else {
      // Mark a RuntimeDefault that the user chose, so that it is not removed later.
      const isChosen = field?.type === 'RuntimeDefault' && (annotation === undefined || isChosenDefault(annotation))
      annotate(run, key, isChosen ? chosenDefault(policy.profile) : localhost(policy.profile))
      setField(run, 'seccompProfile', { type: 'RuntimeDefault' })
    }
  } else if (annotation === optOut) dropOptedOut(run, 'seccompProfile', annotation)
  else if (isLeftover(run, annotation)) {
    annotate(run, key, undefined)
    const profile = profileOf(annotation)
    const isOurs =
      (field?.type === 'RuntimeDefault' && !isChosenDefault(annotation)) ||
      (field?.type === 'Localhost' && field.localhostProfile === profile)
    if (isOurs) setField(run, 'seccompProfile', undefined)
  }
}
