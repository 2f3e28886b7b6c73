export type Json = { [field: string]: unknown }

/** A valid policy, with `policy` merged into `spec.policy` and `more` merged into the whole. */
export function policyWith(policy: Json = {}, more: Json = {}): Json {
  return {
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'VarmorPolicy',
    metadata: { name: 'web', namespace: 'demo' },
    spec: {
      target: { kind: 'Deployment', name: 'web' },
      policy: { enforcer: 'AppArmorBPFSeccomp', mode: 'AlwaysAllow', ...policy },
    },
    ...more,
  }
}

export const enhance = (enhanceProtect: Json) => policyWith({ mode: 'EnhanceProtect', enhanceProtect })
export const bpf = (bpfRawRules: Json) => enhance({ bpfRawRules })
export const network = (rules: Json) => bpf({ network: rules })
export const destination = (fields: Json) =>
  network({ egress: { toDestinations: [{ qualifiers: ['deny'], ...fields }] } })
export const proxy = (networkProxyConfig: Json) => policyWith({ enforcer: 'NetworkProxy', networkProxyConfig })
export const defense = (enforcer: string, defenseInDepth: Json) =>
  policyWith({ enforcer, mode: 'DefenseInDepth', defenseInDepth })
export const target = (fields: Json) =>
  policyWith({}, { spec: { target: fields, policy: { enforcer: 'BPF', mode: 'AlwaysAllow' } } })
export const httpRule = (rule: Json) =>
  enhance({
    networkProxyRawRules: { egress: { defaultAction: 'deny', httpRules: [{ qualifiers: ['allow'], ...rule }] } },
  })

export const rawRules = 'spec.policy.enhanceProtect.bpfRawRules'
export const egress = `${rawRules}.network.egress`
export const file = { qualifiers: ['deny'], pattern: '/srv/**', permissions: ['read'] }
