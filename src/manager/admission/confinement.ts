import { optOut } from '../../api/annotations.ts'
import type { Enforcer, KernelEnforcer } from '../../api/enforcer.ts'
import { type ConfinementFacts, exemptionOf } from '../../confinement/exemption.ts'
import { annotationOf, type ContainerPart, type PodParts, type ProfileField } from '../../confinement/pod-parts.ts'
import {
  chosenDefault,
  isChosenDefault,
  isSwitchedOff,
  keys,
  localhost,
  profileOf,
  profileOfField,
  switchedOff,
} from '../../confinement/profile-annotations.ts'
import type { IndexedPolicy } from './indexed-policy.ts'

export interface ConfinementOptions extends ConfinementFacts {
  /**
   * Whether containers that the policy confines with BPF run without an AppArmor profile, unless the policy also names
   * AppArmor. True only if every node has loaded the BPF profile; otherwise a container could run unconfined.
   */
  bpfExclusive: (policy: IndexedPolicy) => boolean
}

/** Changes of the pod's annotations and of a container's security context. The value `undefined` removes a setting. */
export interface ContainerChanges {
  annotations: Map<string, string | undefined>
  securityContext: Map<string, ProfileField | undefined>
}

export interface ContainerSituation {
  container: ContainerPart
  pod: PodParts
  /** The policy that must confine this container, if any. */
  policy: IndexedPolicy | undefined
  /** Whether this webhook may remove a vArmor profile that the pod names but `policy` does not use. */
  ownsAnnotation: (profile: string) => boolean
  /**
   * The policy of a profile that the container names, if that policy has priority over `policy`. The priority covers
   * only the enforcers of that policy.
   */
  wins: (profile: string) => IndexedPolicy | undefined
}

/**
 * The changes that give one container its policy's profile, and remove the settings of an earlier policy. A container
 * with an exemption, such as `unconfined`, gets no profile. Applying the result again changes nothing.
 */
export function confine(situation: ContainerSituation, options: ConfinementOptions): ContainerChanges {
  const changes: ContainerChanges = { annotations: new Map(), securityContext: new Map() }
  const annotation = (key: string): string | undefined => annotationOf(situation.pod, key)
  const run: Run = { ...situation, options, changes, annotation }
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

interface Run extends ContainerSituation {
  options: ConfinementOptions
  changes: ContainerChanges
  annotation(key: string): string | undefined
}

/** Whether a policy may set the container's profile for this enforcer. */
const mayConfineBy = ({ pod, container, options }: Run, enforcer: KernelEnforcer): boolean =>
  exemptionOf(pod, container, enforcer, options) === undefined

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
  if (run.policy?.enforcers.includes('BPF') && mayConfineBy(run, 'BPF')) {
    annotate(run, key, localhost(run.policy.profile))
    return run.policy
  }
  if (isLeftover(run, annotation)) annotate(run, key, undefined)
  return undefined
}

function confineAppArmorByField(run: Run, bpf: IndexedPolicy | undefined): void {
  const { container, policy, options } = run
  const key = keys.appArmor(container.name)
  const oldKey = keys.kubernetesAppArmor(container.name)
  const annotation = run.annotation(key)
  const switchedOffByUs = isSwitchedOff(annotation)
  const field = container.appArmorProfile
  const mayConfine = mayConfineBy(run, 'AppArmor')

  if (policy?.enforcers.includes('AppArmor') && mayConfine) {
    annotate(run, key, localhost(policy.profile))
    setField(run, 'appArmorProfile', localField(policy.profile))
    agreeWithField(run, oldKey, localhost(policy.profile))
    return
  }
  if (policy !== undefined && bpf === policy && mayConfine && options.bpfExclusive(policy)) {
    annotate(run, key, switchedOff(policy.profile))
    setField(run, 'appArmorProfile', { type: 'Unconfined' })
    agreeWithField(run, oldKey, optOut)
    return
  }
  // An earlier manager may have set this annotation, when the API server did not yet support the field.
  if (isLeftover(run, run.annotation(oldKey))) annotate(run, oldKey, undefined)
  dropOptedOut(run, 'appArmorProfile', annotation)
  if (isLeftover(run, annotation)) {
    annotate(run, key, undefined)
    if (switchedOffByUs && run.annotation(oldKey) === optOut) annotate(run, oldKey, undefined)
    const profile = profileOf(annotation)
    const isOurs = switchedOffByUs
      ? field?.type === 'Unconfined'
      : field?.type === 'Localhost' && field.localhostProfile === profile
    if (isOurs) setField(run, 'appArmorProfile', undefined)
  }
}

/** A user opts a confined container out by the annotation alone. So this function removes the field that we had set. */
function dropOptedOut(run: Run, name: FieldName, annotation: string | undefined): void {
  const profile = profileOfField(run.container[name])
  if (annotation === optOut && profile !== undefined && run.ownsAnnotation(profile)) setField(run, name, undefined)
}

/**
 * Changes an existing annotation to match the field, because the API server refuses a pod if they name different
 * profiles. The API server adds a missing annotation.
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
  const mayConfine = mayConfineBy(run, 'AppArmor')

  if (policy?.enforcers.includes('AppArmor') && mayConfine) {
    annotate(run, key, localhost(policy.profile))
    if (switchedOffByUs) annotate(run, ownKey, undefined)
    return
  }
  if (policy !== undefined && bpf === policy && mayConfine && options.bpfExclusive(policy)) {
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
  const { container, policy } = run
  const key = keys.seccomp(container.name)
  const annotation = run.annotation(key)
  const field = container.seccompProfile

  if (policy?.enforcers.includes('Seccomp') && mayConfineBy(run, 'Seccomp')) {
    if (policy.mode !== 'RuntimeDefault') {
      annotate(run, key, localhost(policy.profile))
      setField(run, 'seccompProfile', localField(policy.profile))
    } else {
      // Mark a RuntimeDefault that the user chose, so that we do not remove it together with our settings.
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
