import type { Scenario } from '../scenario.ts'

/** Questions about the server and about its built-in objects. */
export const looking: Scenario = {
  title: 'looking around',
  steps: [
    { line: 'kubectl version -o json | grep -vE "gitCommit|goVersion|compiler"' },
    { line: 'kubectl cluster-info' },
    { line: 'kubectl get --raw /version | grep -vE "gitCommit|goVersion|compiler"' },
    { line: 'kubectl get --raw /apis/apps/v1' },
    { line: 'kubectl get --raw /apis/crd.varmor.org' },
    { line: 'kubectl get --raw /apis/crd.varmor.org/v1beta1 | tr "{}" "\\n" | sort -u' },
    { line: 'kubectl api-resources --api-group=apiextensions.k8s.io -o wide' },
    { line: 'kubectl api-resources --api-group=coordination.k8s.io -o wide' },
    { line: 'kubectl api-resources --api-group=crd.varmor.org -o wide' },
    { line: 'kubectl api-resources --verbs=watch --namespaced --api-group=apps -o name' },
    { line: 'kubectl get namespaces kube-system default kube-public kube-node-lease -o name' },
    { line: 'kubectl get service kubernetes -n default -o yaml | grep -v targetPort' },
    { line: 'kubectl explain pod.spec.containers.securityContext' },
    { line: 'kubectl explain pods.spec.volumes.emptyDir --recursive' },
    { line: 'kubectl explain crd.spec.versions' },
    { line: 'kubectl explain lease' },
    { line: 'kubectl explain nothing', status: 1 },
    { line: 'kubectl explain pod.spec.nothing', status: 1 },
    { line: 'kubectl get all' },
    { line: 'kubectl events' },
    { line: 'kubectl get events' },
    { line: 'kubectl top pods', status: 1 },
  ],
}
