import type { RuntimeContainer, Sandbox } from '../../../src/agent/containers/runtime.ts'

export const made = (id: string, more: Partial<RuntimeContainer> = {}): RuntimeContainer => ({
  id,
  image: 'img',
  labels: { 'io.kubernetes.container.name': 'web', 'io.kubernetes.pod.name': `${id}-pod` },
  annotations: { 'io.kubernetes.cri.sandbox-id': 's1' },
  appArmorProfile: '',
  ...more,
})
export const sandbox: Sandbox = {
  id: 's1',
  name: 'pod',
  namespace: 'demo',
  uid: 'u',
  labels: { app: 'web' },
  annotations: { 'container.seccomp.security.beta.varmor.org/web': 'localhost/varmor-demo-web' },
}
