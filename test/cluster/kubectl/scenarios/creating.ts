import type { Scenario } from '../scenario.ts'

/** The objects that the generators of `kubectl create` and `run` make for the server's kinds. */
export const creating: Scenario = {
  title: 'creating',
  steps: [
    {
      line: 'kubectl create deployment made --image=docker.io/varmor/busybox:1 --replicas=0 -o yaml',
      says: 'replicas: 0',
    },
    { line: 'kubectl create namespace $NAMESPACE-more', says: 'namespace/<namespace>-more created' },
    { line: 'kubectl get namespace $NAMESPACE-more -o yaml' },
    { line: 'kubectl delete namespace $NAMESPACE-more --wait=false' },
    {
      line: 'kubectl create secret docker-registry login --docker-username=u --docker-password=p --docker-server=example.com',
    },
    { line: 'kubectl get secret login -o yaml' },
    {
      line: 'kubectl create clusterrole $NAMESPACE-all --verb=get --resource=pods --non-resource-url=/healthz',
    },
    { line: 'kubectl create clusterrole $NAMESPACE-all --verb=get --resource=pods,deployments.apps', status: 1 },
    { line: 'kubectl get clusterrole $NAMESPACE-all -o yaml' },
    { line: 'kubectl create clusterrolebinding $NAMESPACE-all --clusterrole=$NAMESPACE-all --group=developers' },
    { line: 'kubectl describe clusterrolebinding $NAMESPACE-all' },
    { line: 'kubectl delete clusterrole,clusterrolebinding $NAMESPACE-all' },
    { line: 'kubectl create service clusterip plain --tcp=80:8080' },
    { line: 'kubectl create service nodeport outside --tcp=80 --node-port=31999 -o yaml' },
    { line: 'kubectl create service externalname elsewhere --external-name=example.com' },
    { line: 'kubectl get services' },
    { line: 'kubectl create service clusterip headless --clusterip=None --tcp=80 -o yaml' },
    {
      line: 'kubectl run alone --image=docker.io/varmor/busybox:1 --restart=Never --overrides=\'{"spec":{"nodeSelector":{"a":"nowhere"}}}\'',
    },
    { line: 'kubectl describe pod alone --show-events=false' },
    { line: 'kubectl run alone --image=x', status: 1, says: 'AlreadyExists' },
    { line: 'kubectl delete pod alone --force --grace-period=0' },
    { line: 'kubectl create token default --bound-object-kind=Pod --bound-object-name=nobody', status: 1 },
    { line: 'kubectl create -f /nowhere', status: 1 },
    { line: 'kubectl create serviceaccount bot -o yaml' },
    { line: 'kubectl get serviceaccount default -o yaml' },
    { line: 'kubectl get cm kube-root-ca.crt -o name' },
  ],
}
