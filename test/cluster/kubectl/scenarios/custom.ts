import type { Scenario } from '../scenario.ts'

const policy = (kind: string, name: string, spec: string): string => `apiVersion: crd.varmor.org/v1beta1
kind: ${kind}
metadata: {name: ${name}}
spec:
${spec}
`

const target = '  target: {kind: Deployment, name: web}'
const good = policy('VarmorPolicy', 'good', `${target}\n  policy: {enforcer: AppArmor, mode: AlwaysAllow}`)
const status = JSON.stringify({ status: { profileName: 'x', ready: true, phase: 'Protecting', summary: 'Protecting' } })

/** kubectl's verbs on kinds that the server knows only from a CRD. */
export const custom: Scenario = {
  title: 'custom resources',
  files: {
    'good.yaml': good,
    'changed.yaml': good.replace('AlwaysAllow', 'RuntimeDefault'),
    'edit.sh': '#!/bin/sh\nsed -i "s/mode: RuntimeDefault/mode: AlwaysAllow/" "$1"\n',
    'edit-badly.sh': '#!/bin/sh\nsed -i s/AlwaysAllow/Never/ "$1"\n',
    'finalizer.yaml': good.replace('{name: good}', '{name: held, finalizers: [mine, mine.example.com]}'),
    'wide.yaml': policy('VarmorClusterPolicy', '$NAMESPACE', `${target}\n  policy: {enforcer: BPF, mode: AlwaysAllow}`),
  },
  steps: [
    { line: 'kubectl apply -f good.yaml --dry-run=server -o yaml', says: 'mode: AlwaysAllow' },
    { line: 'kubectl diff -f good.yaml', status: 1, says: '+kind: VarmorPolicy' },
    { line: 'kubectl apply -f good.yaml' },
    { line: 'kubectl diff -f changed.yaml', status: 1, says: 'mode: RuntimeDefault' },
    { line: 'kubectl apply -f changed.yaml' },
    { line: 'kubectl apply view-last-applied vpol good' },
    { line: 'EDITOR=./edit.sh kubectl edit vpol good', says: 'edited' },
    { line: 'EDITOR=./edit-badly.sh kubectl edit vpol good', status: 1 },
    { line: 'kubectl replace -f changed.yaml', says: 'replaced' },
    { line: "kubectl get vpol good -o jsonpath='{.metadata.generation}'" },
    { line: 'kubectl get vpol -o wide --show-labels' },
    { line: 'kubectl get varmorpolicy good -o json' },
    { line: 'kubectl get varmorpolicies.v1beta1.crd.varmor.org -o name' },
    {
      line: 'kubectl get vpol good --show-managed-fields -o jsonpath=\'{.metadata.managedFields[?(@.manager=="kubectl-client-side-apply")].fieldsV1}\'',
      says: 'f:spec',
    },
    { line: `kubectl patch vpol good --subresource=status --type=merge -p '${status}'` },
    { line: `kubectl patch vpol good --subresource=status --type=merge -p '{"status":{"ready":"yes"}}'`, status: 1 },
    { line: 'kubectl get vpol good', says: 'Protecting' },
    { line: 'kubectl get vpol good --subresource=status -o yaml' },
    { line: "kubectl wait vpol/good --for=jsonpath='{.status.phase}'=Protecting --timeout=5s" },
    {
      line: `kubectl patch vpol good --type=json -p '[{"op":"test","path":"/spec/policy/mode","value":"x"}]'`,
      status: 1,
    },
    { line: `kubectl patch vpol good --type=json -p '[{"op":"remove","path":"/spec/policy"}]'`, status: 1 },
    { line: 'kubectl annotate vpol good note=x --overwrite' },
    { line: 'kubectl get vpol --field-selector metadata.name=good -o name' },
    { line: 'kubectl get vpol --field-selector spec.policy.mode=x', status: 1 },
    { line: 'kubectl get vpol --sort-by=.spec.policy.mode -o custom-columns=N:.metadata.name,M:.spec.policy.mode' },
    { line: 'kubectl scale vpol good --replicas=2', status: 1 },
    { line: 'kubectl rollout status vpol/good', status: 1 },
    { line: 'kubectl apply --server-side -f good.yaml', status: 1, says: 'conflict' },
    { line: 'kubectl apply --server-side -f good.yaml --force-conflicts' },
    { line: 'kubectl apply --server-side --field-manager=other -f changed.yaml', status: 1, says: '.spec.policy.mode' },
    { line: 'kubectl apply --server-side --field-manager=other -f changed.yaml --force-conflicts' },
    {
      line: 'kubectl get vpol good --show-managed-fields -o jsonpath=\'{.metadata.managedFields[?(@.manager=="other")].fieldsV1}\'',
      says: 'f:spec',
    },
    { line: 'kubectl create -f finalizer.yaml', says: 'prefer a domain-qualified finalizer name' },
    { line: 'kubectl delete vpol held --wait=false' },
    { line: 'kubectl get vpol held -o yaml', says: 'deletionTimestamp' },
    {
      line: `kubectl patch vpol held --type=merge -p '{"metadata":{"finalizers":["mine","b.example.com/c"]}}'`,
      status: 1,
    },
    { line: `kubectl patch vpol held --type=merge -p '{"metadata":{"finalizers":null}}'` },
    { line: 'kubectl get vpol held', status: 1 },
    { line: 'sed "s/.NAMESPACE/$NAMESPACE/" wide.yaml | kubectl apply -f -' },
    { line: 'kubectl get vcpol $NAMESPACE -o yaml' },
    { line: 'kubectl describe vcpol $NAMESPACE --show-events=false' },
    { line: 'kubectl delete vcpol $NAMESPACE' },
    { line: 'kubectl explain vpol.spec.policy.enhanceProtect --recursive' },
    { line: 'kubectl explain armorprofile.status' },
    { line: 'kubectl explain vpol --api-version=crd.varmor.org/v9', status: 1 },
    { line: 'kubectl get crd varmorpolicies.crd.varmor.org' },
    { line: 'kubectl describe crd armorprofiles.crd.varmor.org' },
    { line: 'kubectl get crd varmorpolicies.crd.varmor.org -o yaml' },
    { line: 'kubectl delete vpol --all' },
  ],
}
