import type { Static } from '@sinclair/typebox'
import type * as apparmor from './schema/apparmor.ts'
import type * as armorProfile from './schema/armor-profile.ts'
import type * as model from './schema/armor-profile-model.ts'
import type * as behaviour from './schema/behaviour.ts'
import type * as bpf from './schema/bpf-rules.ts'
import type * as common from './schema/common.ts'
import type * as proxy from './schema/network-proxy.ts'
import type * as policy from './schema/policy.ts'
import type * as seccomp from './schema/seccomp.ts'

/**
 * The types of the API group crd.varmor.org/v1beta1. The schemas in `schema/` define the types, the
 * CustomResourceDefinitions, the validator and the defaults. Each schema describes its fields.
 */

export type ObjectMeta = Static<typeof common.objectMeta>
export type LabelSelector = Static<ReturnType<typeof common.labelSelector>>
export type LabelSelectorRequirement = NonNullable<LabelSelector['matchExpressions']>[number]
export type Port = Static<typeof common.port>

export type VarmorPolicy = Static<typeof policy.varmorPolicy>
export type VarmorClusterPolicy = Static<typeof policy.varmorClusterPolicy>
/** A policy of either kind. */
export type AnyPolicy = VarmorPolicy | VarmorClusterPolicy
export type VarmorPolicySpec = Static<typeof policy.varmorPolicySpec>
export type Target = Static<typeof policy.target>
export type TargetKind = Target['kind']
export type Policy = Static<typeof policy.policy>
export type PolicyMode = Policy['mode']
export type EnhanceProtect = Static<typeof policy.enhanceProtect>
export type AttackProtectionRules = Static<typeof policy.attackProtectionRules>
export type ModelingOptions = Static<typeof policy.modelingOptions>
export type DefenseInDepth = Static<typeof policy.defenseInDepth>
export type VarmorPolicyStatus = Static<typeof policy.varmorPolicyStatus>
export type VarmorPolicyCondition = Static<typeof policy.varmorPolicyCondition>
export type VarmorPolicyPhase = NonNullable<VarmorPolicyStatus['phase']>

export type AppArmorRawRules = Static<typeof apparmor.appArmorRawRules>
export type AppArmorProfile = Static<typeof apparmor.appArmorProfile>
export type ProfileType = AppArmorProfile['profileType']

export type LinuxSeccomp = Static<typeof seccomp.linuxSeccomp>
export type LinuxSyscall = Static<typeof seccomp.linuxSyscall>
export type LinuxSeccompArg = Static<typeof seccomp.linuxSeccompArg>
export type LinuxSeccompAction = LinuxSyscall['action']
export type LinuxSeccompOperator = LinuxSeccompArg['op']
export type SeccompProfile = Static<typeof seccomp.seccompProfile>

export type BpfRawRules = Static<typeof bpf.bpfRawRules>
export type BpfAllowList = Static<typeof bpf.bpfProfile>
export type FileRule = Static<typeof bpf.fileRule>
export type NetworkRule = Static<typeof bpf.networkRule>
export type NetworkSocketRule = Static<typeof bpf.networkSocketRule>
export type NetworkEgressRule = Static<typeof bpf.networkEgressRule>
export type Destination = Static<typeof bpf.destination>
export type Service = Static<typeof bpf.service>
export type Pod = Static<typeof bpf.pod>
export type PtraceRule = Static<typeof bpf.ptraceRule>
export type MountRule = Static<typeof bpf.mountRule>

export type NetworkProxyConfig = Static<typeof proxy.networkProxyConfig>
export type ProxyResourceOverride = Static<typeof proxy.proxyResourceOverride>
export type MitmConfig = Static<typeof proxy.mitmConfig>
export type HeaderMutation = Static<typeof proxy.headerMutation>
export type HeaderAction = Static<typeof proxy.headerAction>
export type SecretKeyRef = Static<typeof proxy.secretKeyRef>
export type NetworkProxyRules = Static<ReturnType<typeof proxy.networkProxyRules>>
export type NetworkProxyEgress = Static<typeof proxy.networkProxyEgress>
export type NetworkProxyEgressRule = Static<typeof proxy.networkProxyEgressRule>
export type NetworkProxyHttpRule = Static<typeof proxy.networkProxyHttpRule>
export type HttpMatch = Static<typeof proxy.httpMatch>
export type HttpPathMatch = Static<typeof proxy.httpPathMatch>

export type ArmorProfile = Static<typeof armorProfile.armorProfile>
export type ArmorProfileSpec = Static<typeof armorProfile.armorProfileSpec>
export type ArmorProfileStatus = Static<typeof armorProfile.armorProfileStatus>
export type ArmorProfileCondition = Static<typeof armorProfile.armorProfileCondition>
export type EgressTarget = Static<typeof armorProfile.egressTarget>
export type EgressGroup = Static<typeof armorProfile.egressGroup>
export type EgressAddresses = Static<typeof armorProfile.egressAddresses>
export type BehaviorModeling = Static<typeof armorProfile.behaviorModeling>
export type Profile = Static<typeof armorProfile.profile>
export type ProfileSource = Static<typeof armorProfile.profileSource>
export type ProfileMode = Profile['mode']
export type BpfContent = Static<typeof armorProfile.bpfContent>
export type CapabilitiesContent = Static<typeof armorProfile.capabilitiesContent>
export type PathPatternContent = Static<typeof armorProfile.pathPattern>
export type FileContent = Static<typeof armorProfile.fileContent>
export type NetworkContent = Static<typeof armorProfile.networkContent>
export type NetworkAddress = Static<typeof armorProfile.networkAddress>
export type NetworkSocket = Static<typeof armorProfile.networkSocket>
export type PtraceContent = Static<typeof armorProfile.ptraceContent>
export type MountContent = Static<typeof armorProfile.mountContent>

export type ArmorProfileModel = Static<typeof model.armorProfileModel>
export type ArmorProfileModelData = Static<typeof model.armorProfileModelData>
export type ArmorProfileModelStatus = Static<typeof model.armorProfileModelStatus>
export type ArmorProfileModelCondition = Static<typeof model.armorProfileModelCondition>
export type DynamicResult = Static<typeof behaviour.dynamicResult>
export type ModelBpf = Static<typeof behaviour.modelBpf>
export type StaticResult = Static<typeof model.staticResult>
