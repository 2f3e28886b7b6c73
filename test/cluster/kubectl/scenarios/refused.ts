import type { Scenario } from '../scenario.ts'

const pod = (name: string, spec: string): string => `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
${spec}
`

const deployment = (spec: string): string => `apiVersion: apps/v1
kind: Deployment
metadata: {name: bad}
spec:
${spec}
`

const template = (labels: string): string =>
  `  template: {metadata: {labels: ${labels}}, spec: {containers: [{name: a, image: b}]}}`

/** Objects of built-in kinds with mistakes that people make. */
export const refused: Scenario = {
  title: 'what is refused',
  files: {
    'no-image.yaml': pod('no-image', '  containers: [{name: a}]'),
    'no-containers.yaml': pod('empty', '  containers: []'),
    'two-names.yaml': pod('twice', '  containers: [{name: a, image: b}, {name: a, image: b}]'),
    'policy.yaml': pod(
      'policy',
      '  restartPolicy: Sometimes\n  containers: [{name: a, image: b, imagePullPolicy: Maybe}]',
    ),
    'volume.yaml': pod('volume', '  containers: [{name: a, image: b, volumeMounts: [{name: v, mountPath: /v}]}]'),
    'port.yaml': pod('port', '  containers: [{name: a, image: b, ports: [{containerPort: 70000}]}]'),
    'env.yaml': pod('env', '  containers: [{name: a, image: b, env: [{name: "A=B", value: c}, {name: ""}]}]'),
    'resources.yaml': pod(
      'resources',
      '  containers: [{name: a, image: b, resources: {requests: {cpu: 2}, limits: {cpu: 1}}}]',
    ),
    'quantity.yaml': pod('quantity', '  containers: [{name: a, image: b, resources: {limits: {memory: lots}}}]'),
    'probe.yaml': pod('probe', '  containers: [{name: a, image: b, livenessProbe: {}}]'),
    'profile.yaml': pod(
      'profile',
      '  containers: [{name: a, image: b, securityContext: {appArmorProfile: {type: Localhost}, seccompProfile: {type: Localhost}}}]',
    ),
    'privileged.yaml': pod(
      'privileged',
      '  containers: [{name: a, image: b, securityContext: {privileged: true, allowPrivilegeEscalation: false}}]',
    ),
    'type.yaml': pod('type', '  containers: [{name: a, image: b, tty: "yes"}]'),
    'unknown.yaml': pod('unknown', '  containers: [{name: a, image: b, imagePullPolcy: Always}]'),
    'selector.yaml': deployment(`  selector: {matchLabels: {app: x}}\n${template('{app: y}')}`),
    'no-selector.yaml': deployment(template('{app: y}')),
    'replicas.yaml': deployment(`  replicas: -1\n  selector: {matchLabels: {app: x}}\n${template('{app: x}')}`),
    'strategy.yaml': deployment(
      `  strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}\n  selector: {matchLabels: {app: x}}\n${template('{app: x}')}`,
    ),
    'surge.yaml': deployment(
      `  strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}\n  selector: {matchLabels: {app: x}}\n${template('{app: x}')}`,
    ),
    'good.yaml': deployment(`  replicas: 0\n  selector: {matchLabels: {app: x}}\n${template('{app: x}')}`),
    'service.yaml':
      'apiVersion: v1\nkind: Service\nmetadata: {name: 1bad}\nspec: {ports: [{port: 80}, {port: 80}], type: Cluster}\n',
    'label.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad, labels: {"a b": c, d: "e f"}}\n',
    'key.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: {"a b": c}\n',
    'name.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Bad_Name}\n',
    'finalizer.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad, finalizers: [mine]}\n',
    'owner.yaml':
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad, ownerReferences: [{apiVersion: v1, kind: Pod, name: x, uid: ""}]}\n',
    'secret.yaml': 'apiVersion: v1\nkind: Secret\nmetadata: {name: bad}\ndata: {a: "not base64!"}\n',
    'tls.yaml': 'apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata: {name: bad}\ndata: {a: YQ==}\n',
    'role.yaml':
      'apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: bad}\nrules: [{apiGroups: [""], resources: [pods]}]\n',
    'version.yaml': 'apiVersion: apps/v9\nkind: Deployment\nmetadata: {name: bad}\n',
    'kind.yaml': 'apiVersion: v1\nkind: Nothing\nmetadata: {name: bad}\n',
  },
  steps: [
    ...[
      ...[
        'no-image',
        'no-containers',
        'two-names',
        'policy',
        'volume',
        'port',
        'env',
        'resources',
        'quantity',
        'probe',
      ],
      ...['profile', 'privileged', 'type', 'unknown', 'selector', 'no-selector', 'replicas', 'strategy', 'surge'],
      ...['service', 'label', 'key', 'name', 'finalizer', 'owner', 'secret', 'tls', 'role', 'version', 'kind'],
    ].map((name) => ({ line: `kubectl create -f ${name}.yaml`, status: 1, says: /error|invalid/i })),
    { line: 'kubectl create -f good.yaml' },
    {
      line: 'kubectl patch deployment bad -p \'{"spec":{"selector":{"matchLabels":{"app":"z"}}}}\'',
      status: 1,
      says: 'field is immutable',
    },
    { line: 'kubectl patch deployment bad -p \'{"spec":{"replicas":"many"}}\'', status: 1 },
    { line: 'kubectl patch deployment bad -p \'{"spec":{"replicass":1}}\'', says: 'unknown field' },
    {
      line: 'kubectl patch deployment bad --type=json -p \'[{"op":"replace","path":"/nothing","value":1}]\'',
      says: 'unknown field',
    },
    { line: 'kubectl patch deployment bad --type=json -p \'{"op":"replace"}\'', status: 1 },
    { line: 'kubectl scale deployment bad --replicas=-1', status: 1 },
    { line: 'kubectl scale configmap x --replicas=1', status: 1 },
    { line: 'kubectl label deployment bad "a b=c"', status: 1 },
    { line: 'kubectl label deployment bad a=b --resource-version=1', status: 1, says: 'Conflict' },
    { line: 'kubectl annotate deployment nobody a=b', status: 1 },
    { line: 'kubectl get pods --field-selector spec.nothing=1', status: 1 },
    { line: 'kubectl get pods -l "=="', status: 1 },
    { line: 'kubectl get --raw /nothing', status: 1, says: 'NotFound' },
    { line: 'kubectl get --raw /api/v1/nothings', status: 1, says: 'NotFound' },
    { line: 'kubectl logs nobody', status: 1 },
    { line: 'kubectl exec nobody -- true', status: 1 },
    { line: 'kubectl delete namespace default', status: 1, says: 'Forbidden' },
    { line: 'kubectl delete deployment bad --cascade=orphan' },
  ],
}
