/** A raw rule. */
export const rule = (action: string, names: string[], errnoRet?: number): object => ({
  ...{ names, action },
  ...(errnoRet !== undefined && { errnoRet }),
})

/** The example policy of the user's document, for Seccomp. */
export const policy = (enhanceProtect: object): object => ({
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'VarmorPolicy',
  metadata: { name: 'deployment-policy' },
  spec: {
    updateExistingWorkloads: true,
    target: {
      kind: 'Deployment',
      selector: {
        matchLabels: { app: 'nginx' },
        matchExpressions: [{ key: 'environment', operator: 'In', values: ['dev', 'qa'] }],
      },
    },
    policy: { enforcer: 'Seccomp', mode: 'EnhanceProtect', enhanceProtect },
  },
})

/** A policy for pods with the label `app: NAME`. */
export const podPolicy = (name: string, enhanceProtect: object): object => ({
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'VarmorPolicy',
  metadata: { name },
  spec: {
    target: { kind: 'Pod', selector: { matchLabels: { app: name } } },
    policy: { enforcer: 'Seccomp', mode: 'EnhanceProtect', enhanceProtect },
  },
})
