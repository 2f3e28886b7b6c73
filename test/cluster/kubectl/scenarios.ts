import type { Scenario } from './scenario.ts'
import { creating } from './scenarios/creating.ts'
import { custom } from './scenarios/custom.ts'
import { looking } from './scenarios/looking.ts'

const map = `apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  labels: {app: web, tier: front}
data:
  colour: blue
  size: "3"
`

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: docker.io/varmor/busybox:1
        command: [sleep, "3600"]
`

const pod = `apiVersion: v1
kind: Pod
metadata: {name: lonely, labels: {app: lonely}}
spec:
  nodeSelector: {varmor.test/nowhere: "true"}
  terminationGracePeriodSeconds: 0
  automountServiceAccountToken: false
  containers:
  - name: main
    image: docker.io/varmor/busybox:1
    command: [sleep, "3600"]
`

const policy = (name: string, spec: string): string => `apiVersion: crd.varmor.org/v1beta1
kind: VarmorPolicy
metadata: {name: ${name}}
spec:
${spec}
`

const good = policy(
  'good',
  `  target: {kind: Deployment, name: web}
  policy: {enforcer: AppArmor, mode: AlwaysAllow}`,
)

const reading: Scenario = {
  title: 'reading',
  files: { 'map.yaml': map },
  steps: [
    { line: 'kubectl create -f map.yaml', says: 'configmap/settings created' },
    { line: 'kubectl get configmap settings' },
    { line: 'kubectl get cm settings -o wide' },
    { line: 'kubectl get cm settings -o yaml', says: 'colour: blue' },
    { line: 'kubectl get cm settings -o json', says: '"colour": "blue"' },
    { line: 'kubectl get cm settings -o name', says: 'configmap/settings' },
    { line: 'kubectl get cm settings -o jsonpath=\'{.data.colour}{"\\n"}\'', says: 'blue' },
    { line: "kubectl get cm settings -o jsonpath='{range .metadata.labels}{@}{end}'" },
    { line: "kubectl get cm settings -o go-template='{{.data.size}}'", says: '3' },
    { line: 'kubectl get cm settings -o custom-columns=NAME:.metadata.name,COLOUR:.data.colour' },
    { line: 'kubectl get cm settings --no-headers' },
    { line: 'kubectl get cm settings --show-labels' },
    { line: 'kubectl get cm -l app=web' },
    { line: "kubectl get cm -l 'tier in (front,back),app!=other' -o name" },
    { line: 'kubectl get cm -l app=other', says: 'No resources found in <namespace> namespace.' },
    { line: 'kubectl get cm -L tier -l app=web' },
    { line: 'kubectl get cm --field-selector metadata.name=settings -o name' },
    { line: 'kubectl get cm --sort-by=.metadata.name -l app=web' },
    { line: 'kubectl get cm,sa -l app=web' },
    { line: 'kubectl get cm --chunk-size=1 -l app=web -o name' },
    { line: 'kubectl get --raw /readyz', says: 'ok' },
    { line: 'kubectl describe cm settings', says: 'colour:' },
    { line: 'kubectl get cm nothing', status: 1, says: 'Error from server (NotFound): configmaps "nothing" not found' },
    { line: 'kubectl get nothings', status: 1, says: `error: the server doesn't have a resource type "nothings"` },
    { line: 'kubectl get cm nothing --ignore-not-found' },
    { line: 'kubectl get cm --field-selector data.a=b', status: 1 },
  ],
}

const writing: Scenario = {
  title: 'writing',
  files: {
    'map.yaml': map,
    'changed.yaml': map.replace('blue', 'red'),
    'edit.sh': '#!/bin/sh\nsed -i s/blue/green/ "$1"\n',
    'edit-nothing.sh': '#!/bin/sh\ntrue\n',
    'edit-badly.sh': '#!/bin/sh\nsed -i "s/^  name: settings/  name: other/" "$1"\n',
  },
  steps: [
    { line: 'kubectl apply -f map.yaml', says: 'configmap/settings created' },
    { line: 'kubectl apply -f map.yaml', says: 'configmap/settings unchanged' },
    { line: 'kubectl diff -f changed.yaml', status: 1, says: '+  colour: red' },
    { line: 'kubectl diff -f map.yaml' },
    { line: 'kubectl apply -f changed.yaml', says: 'configmap/settings configured' },
    { line: 'kubectl apply -f changed.yaml --dry-run=server', says: 'configmap/settings unchanged (server dry run)' },
    { line: 'kubectl apply view-last-applied cm/settings' },
    { line: 'kubectl get cm settings -o yaml --show-managed-fields', says: 'f:colour' },
    { line: 'kubectl replace -f map.yaml', says: 'configmap/settings replaced' },
    { line: 'EDITOR=./edit.sh kubectl edit cm settings', says: 'configmap/settings edited' },
    { line: "kubectl get cm settings -o jsonpath='{.data.colour}'", says: 'green' },
    { line: 'EDITOR=./edit-nothing.sh kubectl edit cm settings', says: 'Edit cancelled, no changes made.' },
    { line: 'EDITOR=./edit-badly.sh kubectl edit cm settings', status: 1 },
    { line: 'kubectl patch cm settings --type=merge -p \'{"data":{"size":"4"}}\'', says: 'configmap/settings patched' },
    { line: 'kubectl patch cm settings --type=json -p \'[{"op":"remove","path":"/data/size"}]\'' },
    { line: 'kubectl patch cm settings --type=strategic -p \'{"data":{"size":"5"}}\'' },
    { line: 'kubectl patch cm settings -p \'{"data":{"size":"5"}}\'', says: 'configmap/settings patched (no change)' },
    { line: 'kubectl patch cm settings --type=json -p \'[{"op":"test","path":"/data/size","value":"x"}]\'', status: 1 },
    { line: 'kubectl label cm settings team=a', says: 'configmap/settings labeled' },
    {
      line: 'kubectl label cm settings team=b',
      status: 1,
      says: "'team' already has a value (a), and --overwrite is false",
    },
    { line: 'kubectl label cm settings team=b --overwrite' },
    { line: 'kubectl label cm settings team-', says: 'configmap/settings unlabeled' },
    { line: 'kubectl annotate cm settings note="some words"', says: 'configmap/settings annotated' },
    { line: 'kubectl annotate cm settings note-' },
    { line: 'kubectl create cm literal --from-literal=a=b --dry-run=client -o yaml' },
    {
      line: 'kubectl create cm literal --from-literal=a=b --dry-run=server',
      says: 'configmap/literal created (server dry run)',
    },
    { line: 'kubectl create cm literal --from-literal=a=b', says: 'configmap/literal created' },
    { line: 'kubectl create cm literal --from-literal=a=b', status: 1, says: 'configmaps "literal" already exists' },
    { line: 'kubectl create secret generic hidden --from-literal=password=x' },
    { line: 'kubectl describe secret hidden', says: 'password:  1 bytes' },
    { line: 'kubectl delete cm literal', says: /configmap "literal" deleted/ },
    { line: 'kubectl delete cm literal', status: 1, says: 'Error from server (NotFound)' },
    { line: 'kubectl delete cm literal --ignore-not-found' },
    { line: 'kubectl delete -f map.yaml' },
    { line: 'kubectl create -f map.yaml && kubectl delete cm -l app=web' },
    { line: 'echo "kind: ConfigMap" | kubectl apply -f -', status: 1 },
    { line: 'echo "{" | kubectl create -f -', status: 1 },
    {
      line: 'printf \'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"dta":{}}\' | kubectl create -f -',
      status: 1,
      says: 'strict decoding error: unknown field "dta"',
    },
  ],
}

const serverSide: Scenario = {
  title: 'server-side apply',
  files: { 'map.yaml': map, 'changed.yaml': map.replace('blue', 'red') },
  steps: [
    { line: 'kubectl apply --server-side -f map.yaml', says: 'configmap/settings serverside-applied' },
    { line: 'kubectl apply --server-side -f map.yaml --dry-run=server' },
    {
      line: 'kubectl apply --server-side --field-manager=other -f changed.yaml',
      status: 1,
      says: 'Apply failed with 1 conflict: conflict with "kubectl": .data.colour',
    },
    { line: 'kubectl apply --server-side --field-manager=other -f changed.yaml --force-conflicts' },
    { line: 'kubectl get cm settings -o yaml --show-managed-fields', says: 'manager: other' },
    { line: 'kubectl diff --server-side --field-manager=other -f map.yaml', status: 1 },
  ],
}

const watching: Scenario = {
  title: 'watching and waiting',
  files: { 'map.yaml': map },
  steps: [
    { line: 'kubectl create -f map.yaml' },
    {
      line: "kubectl wait cm/settings --for=jsonpath='{.data.colour}'=blue --timeout=5s",
      says: 'configmap/settings condition met',
    },
    {
      line: "kubectl wait cm/settings --for=jsonpath='{.data.colour}'=red --timeout=1s",
      status: 1,
      says: 'timed out waiting',
    },
    {
      line: '(sleep 1; kubectl delete cm settings > deleted) & kubectl wait cm/settings --for=delete --timeout=10s; wait',
    },
  ],
}

const workloads: Scenario = {
  title: 'workloads',
  needs: 'controllers',
  files: { 'deployment.yaml': deployment, 'changed.yaml': deployment.replace('"3600"', '"7200"'), 'pod.yaml': pod },
  steps: [
    { line: 'kubectl apply -f deployment.yaml', says: 'deployment.apps/web created' },
    { line: 'kubectl rollout status deployment/web --timeout=20s', says: 'successfully rolled out' },
    { line: 'kubectl get deployment web' },
    { line: 'kubectl get deploy web -o wide' },
    { line: 'kubectl get rs -l app=web' },
    { line: 'kubectl annotate deployment web kubernetes.io/change-cause=first' },
    { line: 'kubectl apply -f changed.yaml && kubectl rollout status deployment/web --timeout=20s' },
    { line: 'kubectl rollout history deployment/web', says: 'REVISION' },
    { line: 'kubectl rollout history deployment/web --revision=2', says: '7200' },
    { line: 'kubectl rollout undo deployment/web', says: 'deployment.apps/web rolled back' },
    { line: 'kubectl rollout status deployment/web --timeout=20s' },
    {
      line: "kubectl get deployment web -o jsonpath='{.spec.template.spec.containers[0].command}'",
      says: '["sleep","3600"]',
    },
    { line: 'kubectl rollout restart deployment/web', says: 'deployment.apps/web restarted' },
    { line: 'kubectl rollout pause deployment/web' },
    { line: 'kubectl rollout resume deployment/web' },
    { line: 'kubectl set image deployment/web main=docker.io/varmor/busybox:2' },
    { line: 'kubectl set env deployment/web A=b' },
    { line: 'kubectl set env deployment/web --list' },
    { line: 'kubectl rollout status deployment/web --timeout=20s' },
    { line: 'kubectl scale deployment web --replicas=0', says: 'deployment.apps/web scaled' },
    { line: 'kubectl scale deployment web --current-replicas=3 --replicas=1', status: 1 },
    { line: 'kubectl describe deployment web --show-events=false', says: 'StrategyType:' },
    { line: 'kubectl expose deployment web --port=80', says: 'service/web exposed' },
    { line: 'kubectl get service web' },
    { line: 'kubectl describe service web --show-events=false | grep -v ^Endpoints:', says: 'Selector:' },
    { line: 'kubectl create -f pod.yaml' },
    { line: 'kubectl get pod lonely' },
    { line: 'kubectl get pod lonely -o wide' },
    { line: 'kubectl get pods --field-selector status.phase=Pending -o name', says: 'pod/lonely' },
    { line: 'kubectl delete pod lonely --now' },
    { line: 'kubectl delete -f deployment.yaml --cascade=foreground --timeout=20s' },
    { line: 'kubectl get rs -l app=web' },
  ],
}

const asking: Scenario = {
  title: 'asking the server',
  steps: [
    { line: 'kubectl api-versions | grep -E "^(v1|apps/v1|rbac.authorization.k8s.io/v1|crd.varmor.org/v1beta1)$"' },
    { line: 'kubectl api-resources --api-group=apps' },
    { line: 'kubectl api-resources --api-group=crd.varmor.org', says: 'varmorpolicies' },
    { line: 'kubectl api-resources --api-group=rbac.authorization.k8s.io -o wide' },
    {
      line: 'kubectl api-resources --namespaced=false -o name | grep -E "^(namespaces|nodes|varmorclusterpolicies.crd.varmor.org)$"',
    },
    { line: 'kubectl explain configmap', says: /^KIND: +ConfigMap$/m },
    { line: 'kubectl explain deployment.spec.strategy' },
    { line: 'kubectl explain varmorpolicy.spec.target', says: 'FIELDS:' },
    { line: 'kubectl explain vpol --recursive' },
    { line: 'kubectl explain vpol.spec.nothing', status: 1 },
    { line: 'kubectl create role reader --verb=get,list --resource=pods' },
    { line: 'kubectl create rolebinding reader --role=reader --user=jane' },
    { line: 'kubectl describe role reader' },
    { line: 'kubectl create serviceaccount bot' },
    { line: 'kubectl create token bot --duration=10m | tr -cd . | wc -c', says: '2' },
    { line: 'kubectl create token nobody', status: 1 },
  ],
}

const policies: Scenario = {
  title: 'policies of vArmor',
  files: {
    'good.yaml': good,
    'no-target.yaml': policy('bad', '  policy: {enforcer: AppArmor, mode: AlwaysAllow}'),
    'bad-mode.yaml': good.replace('good', 'bad').replace('AlwaysAllow', 'Sometimes'),
    'bad-enforcer.yaml': good.replace('good', 'bad').replace('AppArmor', 'Firewall'),
    'bad-kind.yaml': good.replace('good', 'bad').replace('Deployment', 'Job'),
    'both.yaml': policy(
      'bad',
      `  target: {kind: Deployment, name: web, selector: {matchLabels: {a: b}}}
  policy: {enforcer: AppArmor, mode: AlwaysAllow}`,
    ),
    'unknown.yaml': `${good}  speed: high\n`.replace('good', 'bad'),
    'wrong-type.yaml': good.replace('good', 'bad').replace('mode: AlwaysAllow', 'mode: 5'),
  },
  steps: [
    { line: 'kubectl apply -f good.yaml', says: 'varmorpolicy.crd.varmor.org/good created' },
    { line: 'kubectl get vpol' },
    { line: 'kubectl get vpol good -o yaml' },
    { line: 'kubectl describe vpol good --show-events=false' },
    { line: 'kubectl get varmorpolicies,armorprofiles' },
    { line: 'kubectl create -f no-target.yaml', status: 1, says: 'spec.target: Required value' },
    { line: 'kubectl create -f bad-mode.yaml', status: 1, says: 'spec.policy.mode: Unsupported value: "Sometimes"' },
    { line: 'kubectl create -f bad-enforcer.yaml', status: 1, says: 'spec.policy.enforcer' },
    { line: 'kubectl create -f bad-kind.yaml', status: 1, says: 'spec.target.kind: Unsupported value: "Job"' },
    { line: 'kubectl create -f both.yaml', status: 1, says: 'spec.target' },
    { line: 'kubectl create -f unknown.yaml', status: 1, says: 'unknown field "spec.speed"' },
    { line: 'kubectl create -f unknown.yaml --validate=warn' },
    { line: 'kubectl create -f wrong-type.yaml', status: 1, says: 'must be of type string' },
    {
      line: 'kubectl patch vpol good --type=merge -p \'{"spec":{"target":{"name":"other"}}}\'',
      status: 1,
      says: 'spec.target',
    },
    {
      line: 'kubectl patch vpol good -p \'{"spec":{}}\'',
      status: 1,
      says: 'application/strategic-merge-patch+json is not supported',
    },
    { line: 'kubectl patch vpol good --type=merge -p \'{"spec":{"policy":{"enforcer":"AppArmorBPF"}}}\'' },
    { line: 'kubectl label vpol good a=b' },
    { line: 'kubectl delete vpol --all' },
  ],
}

/** Commands that users type, by their purpose. */
export const scenarios: readonly Scenario[] = [
  reading,
  writing,
  serverSide,
  watching,
  workloads,
  asking,
  policies,
  creating,
  custom,
  looking,
]
