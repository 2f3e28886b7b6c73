import { optOut } from '../../api/annotations.ts'
import type { IndexedPolicy } from './indexed-policy.ts'
import { freedMark, isFreedMark, localMark, marks, profileOfMark } from './marks.ts'
import type { ContainerPart, ProfileField, SecurityContext } from './pod-parts.ts'

export interface ConfinementOptions {
  /** The server has `securityContext.appArmorProfile` (Kubernetes 1.30). */
  appArmorField: boolean
  /** A container with a BPF profile gets no AppArmor profile, unless the policy names AppArmor too. */
  bpfExclusive: boolean
}

/** What a container's setting is to become; `undefined` as a value takes it away. Nothing in it: all is as it should be. */
export interface ContainerChanges {
  annotations: Map<string, string | undefined>
  securityContext: Map<string, ProfileField | undefined>
}

export interface ContainerSituation {
  container: ContainerPart
  pod: SecurityContext
  annotations: Readonly<Record<string, string>>
  /** The policy that is to confine this container, if any. */
  policy: IndexedPolicy | undefined
  /** Whether a profile of ours that the pod names is out of place here, unless `policy` wants it. */
  isStale: (profile: string) => boolean
}

/**
 * The changes that bring one container into the profile of its policy, and take back what an earlier policy left. Whoever
 * says `unconfined`, by annotation or by field, stays out. Applied twice, the second time changes nothing.
 */
export function confine(situation: ContainerSituation, options: ConfinementOptions): ContainerChanges {
  const changes: ContainerChanges = { annotations: new Map(), securityContext: new Map() }
  const annotation = (key: string): string | undefined =>
    Object.hasOwn(situation.annotations, key) ? situation.annotations[key] : undefined
  const { container, pod, policy, isStale } = situation
  const run: Run = { container, pod, policy, isStale, options, changes, annotation }
  const bpf = confineBpf(run)
  if (options.appArmorField) confineAppArmorByField(run, bpf)
  else confineAppArmorByAnnotation(run, bpf)
  confineSeccomp(run)
  return changes
}

interface Run extends Omit<ContainerSituation, 'annotations'> {
  options: ConfinementOptions
  changes: ContainerChanges
  annotation(key: string): string | undefined
}

/** Sets an annotation, or with undefined removes it; nothing where it is so already. */
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

/** Whether the profile that this mark names should go from here. */
const isLeftover = (run: Run, mark: string | undefined): boolean => {
  const profile = profileOfMark(mark)
  return profile !== undefined && run.isStale(profile)
}

/** Whether the container has the BPF profile now. */
function confineBpf(run: Run): boolean {
  const key = marks.bpf(run.container.name)
  const mark = run.annotation(key)
  if (run.policy?.enforcers.has('BPF') && mark !== optOut) {
    annotate(run, key, localMark(run.policy.profile))
    return true
  }
  if (isLeftover(run, mark)) annotate(run, key, undefined)
  return false
}

function confineAppArmorByField(run: Run, bpf: boolean): void {
  const { container, pod, policy, options } = run
  const key = marks.appArmor(container.name)
  const oldKey = marks.kubernetesAppArmor(container.name)
  const mark = run.annotation(key)
  const freedByUs = isFreedMark(mark)
  const field = container.appArmorProfile
  const isUnconfined = field?.type === 'Unconfined'
  // What we set ourselves says nothing of what the user wants.
  const setByUser = !freedByUs && (isUnconfined || run.annotation(oldKey) === optOut)
  const optedOut = mark === optOut || setByUser || pod.appArmorProfile?.type === 'Unconfined'

  if (policy?.enforcers.has('AppArmor') && !optedOut) {
    annotate(run, key, localMark(policy.profile))
    setField(run, 'appArmorProfile', localField(policy.profile))
    agreeWithField(run, oldKey, localMark(policy.profile))
    return
  }
  if (policy !== undefined && bpf && options.bpfExclusive && !setByUser) {
    if (mark !== optOut) annotate(run, key, freedMark(policy.profile))
    setField(run, 'appArmorProfile', { type: 'Unconfined' })
    agreeWithField(run, oldKey, optOut)
    return
  }
  // From before the server had the field.
  if (isLeftover(run, run.annotation(oldKey))) annotate(run, oldKey, undefined)
  if (isLeftover(run, mark)) {
    annotate(run, key, undefined)
    const profile = profileOfMark(mark)
    const isOurs = freedByUs ? isUnconfined : field?.type === 'Localhost' && field.localhostProfile === profile
    if (isOurs) setField(run, 'appArmorProfile', undefined)
  }
}

/** The API server refuses a pod whose annotation and field name two profiles; where there is none, it makes it. */
function agreeWithField(run: Run, key: string, value: string): void {
  if (run.annotation(key) !== undefined) annotate(run, key, value)
}

function confineAppArmorByAnnotation(run: Run, bpf: boolean): void {
  const { container, policy, options } = run
  const key = marks.kubernetesAppArmor(container.name)
  const markKey = marks.appArmor(container.name)
  const value = run.annotation(key)
  const mark = run.annotation(markKey)
  const freedByUs = isFreedMark(mark)
  const optedOut = mark === optOut || (value === optOut && !freedByUs)

  if (policy?.enforcers.has('AppArmor') && !optedOut) {
    annotate(run, key, localMark(policy.profile))
    if (freedByUs) annotate(run, markKey, undefined)
    return
  }
  if (policy !== undefined && bpf && options.bpfExclusive) {
    if (value === optOut && !freedByUs) return
    if (mark !== optOut) annotate(run, markKey, freedMark(policy.profile))
    annotate(run, key, optOut)
    return
  }
  if (freedByUs && isLeftover(run, mark)) {
    annotate(run, markKey, undefined)
    if (value === optOut) annotate(run, key, undefined)
  }
  if (isLeftover(run, value)) annotate(run, key, undefined)
}

function confineSeccomp(run: Run): void {
  const { container, pod, policy } = run
  const key = marks.seccomp(container.name)
  const mark = run.annotation(key)
  const field = container.seccompProfile
  const optedOut =
    mark === optOut || container.privileged || field?.type === 'Unconfined' || pod.seccompProfile?.type === 'Unconfined'

  if (policy?.enforcers.has('Seccomp') && !optedOut) {
    if (policy.mode !== 'RuntimeDefault') {
      annotate(run, key, localMark(policy.profile))
      setField(run, 'seccompProfile', localField(policy.profile))
    } else if (field?.type !== 'RuntimeDefault' || mark !== undefined) {
      // Where the user chose it, it stays the user's: without our mark it is not taken back later.
      annotate(run, key, localMark(policy.profile))
      setField(run, 'seccompProfile', { type: 'RuntimeDefault' })
    }
  } else if (isLeftover(run, mark)) {
    annotate(run, key, undefined)
    const profile = profileOfMark(mark)
    const isOurs =
      field?.type === 'RuntimeDefault' || (field?.type === 'Localhost' && field.localhostProfile === profile)
    if (isOurs) setField(run, 'seccompProfile', undefined)
  }
}
