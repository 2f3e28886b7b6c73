import type { EgressAddresses, ModelBpf } from '../api/types.ts'

/** Features of a node's AppArmor: the parser's version, and the kinds of rules that both kernel and parser support. */
export interface AppArmorFeatures {
  /** The version of apparmor_parser as `[major, minor]`; at least 3.0. */
  parser: readonly [number, number]
  /** `userns,` rules (parser 4.0 and kernel 6.7). */
  userns: boolean
  /** `io_uring,` rules (parser 4.0 and kernel 6.7). */
  ioUring: boolean
  /** `mqueue` rules (parser 4.0, and a kernel with Ubuntu's patches). */
  mqueue: boolean
}

/** The oldest supported AppArmor: parser 3.0.8 of Debian 12. A profile that is compiled for it loads on every node. */
export const oldestAppArmor: AppArmorFeatures = { parser: [3, 0], userns: false, ioUring: false, mqueue: false }

/** An AppArmor with all features that rules can use. */
export const newestAppArmor: AppArmorFeatures = { parser: [4, 1], userns: true, ioUring: true, mqueue: true }

/** Profiles that behaviour modelling made, for the policies whose `profileType` is BehaviorModel. */
export interface BehaviorModel {
  /** AppArmor text, as in `ArmorProfileModel.data.profile.appArmor`. */
  appArmor?: string
  /** OCI seccomp JSON, as in `ArmorProfileModel.data.profile.seccomp`. */
  seccomp?: string
  /** The record of BPF, as in `ArmorProfileModel.data.dynamicResult.bpf`. */
  bpf?: ModelBpf
}

/** The flag of a seccomp filter that makes the kernel log each refused call (seccomp(2)). */
export const LOG_FLAG = 'SECCOMP_FILTER_FLAG_LOG'

/**
 * The flags of seccomp filters that all runtimes of a node accept; or, if refusals cannot be logged, the component that
 * prevents it, and why.
 */
export type SeccompReports = { flags: readonly string[] } | { by: string; why: string }

/** Kinds of egress targets that the manager looks up (enablePodEgressControl, enableServiceEgressControl). */
export interface EgressControl {
  pods: boolean
  services: boolean
}

/** The input of a compiler besides the policy. It contains only values, because compilers do no I/O. */
export interface CompileContext {
  /** Name of the profile, from `profileName()`. */
  profileName: string
  appArmor: AppArmorFeatures
  /** Skip the text of EnhanceProtect for AppArmor, and its size limit: only the left-out rules are needed. */
  withoutText?: boolean
  /** Block devices of the node, such as `/dev/sda1`: rules about disks also cover devices with unusual names. */
  blockDevices?: readonly string[]
  /**
   * Hooks of the BPF programs that the kernel lacks, such as `lsm/inode_init_security_anon`; none if the profile is not
   * for a certain node.
   */
  absentHooks?: readonly string[]
  /** Left out if the profile is not for a certain node. */
  seccompReports?: SeccompReports
  /**
   * Kinds whose addresses the manager looks up; left out if unknown, without a cluster. Only for profiles that are not
   * for a certain node.
   */
  egressControl?: EgressControl
  /** Addresses of Services and Pods from the manager. Only for profiles that are compiled for a node. */
  addresses?: readonly EgressAddresses[]
  model?: BehaviorModel
  /** Whether the policy's behaviour modelling has ended: the profile then allows everything and does not record. */
  modelingComplete?: boolean
}
