import type { EgressAddresses, ModelBpf } from '../api/types.ts'

/** What a node's AppArmor can say: the parser's version, and the rule kinds that its kernel and parser both know. */
export interface AppArmorFeatures {
  /** apparmor_parser's version as `[major, minor]`; 3.0 is the oldest that is supported. */
  parser: readonly [number, number]
  /** `userns,` rules (parser 4.0 and kernel 6.7). */
  userns: boolean
  /** `io_uring,` rules (parser 4.0 and kernel 6.7). */
  ioUring: boolean
  /** `mqueue` rules (parser 4.0, and a kernel with Ubuntu's patches). */
  mqueue: boolean
}

/** The least that a supported node has: Debian 12's parser 3.0.8. A profile compiled for it loads everywhere. */
export const oldestAppArmor: AppArmorFeatures = { parser: [3, 0], userns: false, ioUring: false, mqueue: false }

/** All that rules can ask for. */
export const newestAppArmor: AppArmorFeatures = { parser: [4, 1], userns: true, ioUring: true, mqueue: true }

/** Profiles that behaviour modelling made, for the policies whose `profileType` is BehaviorModel. */
export interface BehaviorModel {
  /** AppArmor text, as in `ArmorProfileModel.data.profile.appArmor`. */
  appArmor?: string
  /** OCI seccomp JSON, as in `ArmorProfileModel.data.profile.seccomp`. */
  seccomp?: string
  /** What BPF saw, as in `ArmorProfileModel.data.dynamicResult.bpf`. */
  bpf?: ModelBpf
}

/** The flag of a seccomp filter that has the kernel log each refused call (seccomp(2)). */
export const LOG_FLAG = 'SECCOMP_FILTER_FLAG_LOG'

/**
 * The flags of seccomp filters that all runtimes of a node take; or, where refusals cannot be logged, what is to blame,
 * and why.
 */
export type SeccompReports = { flags: readonly string[] } | { by: string; why: string }

/** Whose addresses the manager looks for: upstream's enablePodEgressControl and enableServiceEgressControl. */
export interface EgressControl {
  pods: boolean
  services: boolean
}

/** What a compiler needs to know besides the policy. All of it is a value: compilers do no I/O. */
export interface CompileContext {
  /** Name of the profile, from `profileName()`. */
  profileName: string
  appArmor: AppArmorFeatures
  /** Skips AppArmor's text; only its left-out rules count. The text of EnhanceProtect is empty, and fits any size. */
  withoutText?: boolean
  /** Block devices of the node that is compiled for, `/dev/sda1`: rules about disks name those of unusual names. */
  blockDevices?: readonly string[]
  /**
   * Hooks that the BPF programs have and the kernel lacks, `lsm/inode_init_security_anon`; none where it is for no
   * certain node.
   */
  absentHooks?: readonly string[]
  /** Left out where it is for no certain node. */
  seccompReports?: SeccompReports
  /**
   * Kinds whose addresses the manager looks for; left out: unknown, because there is no cluster. For profiles that are
   * not compiled for a certain node.
   */
  egressControl?: EgressControl
  /** Addresses of Services and Pods as the manager has said them. Of what is compiled for a node. */
  addresses?: readonly EgressAddresses[]
  model?: BehaviorModel
  /** The policy's behaviour modelling has ended: its profile is to allow all, not to record. */
  modelingComplete?: boolean
}
